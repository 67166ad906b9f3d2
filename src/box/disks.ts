/** The disks of a box: which can be come back to, and new ones for a start from power-on. */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from './digest.ts';
import { type Machine, machineCommand } from './machine.ts';
import type { BoxPlaces } from './places.ts';
import { type BoxRecord, readRecord, type SnapshotName } from './record.ts';
import { type BoxSettings, settingsText, writeSeed } from './seed.ts';
import { runTool } from './tool.ts';

/** The box's own disk of guests and records: its largest size. The file grows as it is used. */
const dataGib = 64;

export interface Layers {
  /** Folder of the Debian layer. */
  readonly debian: string;
  /** Image of the toolstack. */
  readonly toolstack: string;
  readonly settings: BoxSettings;
}
/** What a start does. */
export type Start =
  | { readonly kind: 'resume'; readonly snapshot: SnapshotName; readonly record: BoxRecord }
  /** `keepsData`: with the records and disks of earlier times. */
  | { readonly kind: 'boot'; readonly keepsData: boolean };

/** Names the machine that snapshots belong to: addresses on this side are no part of it. */
export function machineKey(layers: Layers, machine: Machine): string {
  const same = { ...machine, qmp: ['', ''], console: '', api: { host: '', port: 0 }, sshPort: 0 };
  const { snapshot: _, ...plain } = same;
  return digestOf([
    layers.debian,
    layers.toolstack,
    settingsText(layers.settings),
    JSON.stringify(machineCommand(plain)),
  ]);
}

export function decideStart(at: BoxPlaces, key: string, fresh: boolean): Start {
  const record = readRecord(at.record);
  const disks = [at.rootDisk, at.dataDisk, at.seed].every((file) => existsSync(file));
  if (record?.key === key && disks) {
    if (!fresh && record.snapshots.last) return { kind: 'resume', snapshot: 'last', record };
    if (record.snapshots.ready && (!fresh || record.pristine)) return { kind: 'resume', snapshot: 'ready', record };
  }
  return { kind: 'boot', keepsData: !fresh && existsSync(at.dataDisk) };
}

/** Links the layers into QEMU's folder. For a start from power-on: a root disk of its own, a data disk unless it is kept, the seed. */
export async function prepareDisks(at: BoxPlaces, layers: Layers, start: Start): Promise<void> {
  link(at.debian, layers.debian);
  link(at.toolstack, layers.toolstack);
  if (start.kind === 'resume') return;
  rmSync(at.record, { force: true });
  const image = join(layers.debian, 'rootfs.img');
  await runTool(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image, at.rootDisk], {
    package: 'qemu-utils',
  });
  if (start.keepsData) await dropSnapshots(at.dataDisk);
  else
    await runTool(['qemu-img', 'create', '-q', '-f', 'qcow2', at.dataDisk, `${dataGib}G`], { package: 'qemu-utils' });
  await writeSeed(at, layers.settings);
}

/** Of a machine that is no more. */
async function dropSnapshots(disk: string): Promise<void> {
  const info = JSON.parse(await runTool(['qemu-img', 'info', '--output=json', disk])) as {
    readonly snapshots?: readonly { readonly name: string }[];
  };
  for (const { name } of info.snapshots ?? []) await runTool(['qemu-img', 'snapshot', '-d', name, disk]);
}

function link(path: string, target: string): void {
  const there = readdirSync(join(path, '..')).includes(path.split('/').at(-1) ?? '');
  if (there && readlinkSync(path) === target) return;
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

/** What Debian's layer says of itself. */
export const aboutDebian = (folder: string): { readonly kernel: string; readonly packages: readonly string[] } =>
  JSON.parse(readFileSync(join(folder, 'about.json'), 'utf8'));
