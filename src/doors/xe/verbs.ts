/** Commands that have their own code, by name. */
import type { Command } from './commands.ts';
import { others } from './verbs/others.ts';
import { disks } from './verbs/vdi.ts';
import { vmDevices } from './verbs/vm-devices.ts';
import { vmMake } from './verbs/vm-make.ts';
import { vmPower } from './verbs/vm-power.ts';
import type { Work } from './work.ts';

export type Verb = (work: Work, command: Command) => Promise<void>;

export const verbs: Readonly<Record<string, Verb>> = { ...vmPower, ...vmMake, ...vmDevices, ...disks, ...others };
