/** The QEMU of one domain, which serves its disk images (qdisk): started with the first of them, ended with the domain. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';

const stopMs = 3_000;
const idOf = ({ vm, domid }: Domain): string => `xen-qdisk-${domid}-${vm}`;

/** The command line: no machine, only what serves devices of the domain. */
export function emulatorCommand(qemu: string, domid: number, vm: string): string[] {
  return [
    qemu,
    ...['-name', `guest=${vm}`, '-machine', 'xenpv', '-xen-domid', String(domid), '-xen-attach'],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-vga', 'none', '-m', '1M'],
    ...['-msg', 'timestamp=on'],
  ];
}
async function runs(domain: Domain): Promise<boolean> {
  const id = idOf(domain);
  return (await domain.needs.processes.process.list({})).some((p) => p.id === id && p.running);
}
/** Failed_to_start_emulator. */
export async function ensureEmulator(domain: Domain): Promise<void> {
  const { processes, folders, qemu } = domain.needs;
  const id = idOf(domain);
  if (await runs(domain)) return;
  const failed = (reason: string, cause?: unknown) =>
    xenopsErrors.make('Failed_to_start_emulator', { vm: domain.vm, reason }, { cause });
  if (!existsSync(qemu))
    throw failed(`${qemu} is missing, which serves disk images: install Debian's package qemu-system-xen`);
  await processes.process.forget({ id });
  await processes.process
    .start({
      id,
      command: emulatorCommand(qemu, domain.domid, domain.vm),
      log: folders.paths(domain.vm).emulatorLog,
      tags: { kind: 'xen-emulator', vm: domain.vm },
    })
    .catch((error: unknown) => {
      throw failed(String(error), error);
    });
}
/** What `wait` answers, or Failed_to_start_emulator with the emulator's last words when that ends first. */
export async function whileEmulated<T>(domain: Domain, wait: () => Promise<T>): Promise<T> {
  const { processes, folders } = domain.needs;
  const id = idOf(domain);
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => undefined); // it may end when nobody waits any more
  const end = async () => {
    const said = await readFile(folders.paths(domain.vm).emulatorLog, 'utf8').catch(() => '');
    const reason = `it ended: ${said.trim().split('\n').slice(-2).join('; ') || 'without a word'}`;
    ended.reject(xenopsErrors.make('Failed_to_start_emulator', { vm: domain.vm, reason }));
  };
  const unwatch = processes.watch(({ event, process }) => {
    if (event === 'exited' && process.id === id) void end();
  });
  try {
    if (!(await runs(domain))) await end();
    return await Promise.race([wait(), ended.promise]);
  } finally {
    unwatch();
  }
}
export async function endEmulator(domain: Domain): Promise<void> {
  const { processes } = domain.needs;
  const id = idOf(domain);
  if (!(await processes.process.list({})).some((p) => p.id === id)) return;
  await processes.process.stop({ id, timeoutMs: stopMs });
  await processes.process.forget({ id });
}
