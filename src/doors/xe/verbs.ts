/** Commands that have their own code, by name. */
import type { Command } from './commands.ts';
import { vmMake } from './verbs/vm-make.ts';
import { vmPower } from './verbs/vm-power.ts';
import type { Work } from './work.ts';

export type Verb = (work: Work, command: Command) => Promise<void>;

export const verbs: Readonly<Record<string, Verb>> = { ...vmPower, ...vmMake };
