/** The QEMU of one domain, which serves its disk images (qdisk): started with the first of them, ended with the domain. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { bestEffort } from '../../../base/best-effort.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain, DomainNeeds } from './domain.ts';

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
export const ensureEmulator = (domain: Domain): Promise<void> =>
  startEmulator(domain, emulatorCommand(domain.needs.qemu, domain.domid, domain.vm));

/** Starts the domain's QEMU, unless it runs. Failed_to_start_emulator. */
export async function startEmulator(domain: Domain, command: readonly string[]): Promise<void> {
  const { processes, folders, qemu } = domain.needs;
  const id = idOf(domain);
  if (await runs(domain)) return;
  const failed = (reason: string, cause?: unknown) =>
    xenopsErrors.make('Failed_to_start_emulator', { vm: domain.vm, reason }, { cause });
  if (!existsSync(qemu))
    throw failed(
      `${qemu} is missing, which serves disk images and plays the devices of HVM guests: install Debian's package qemu-system-xen`,
    );
  await processes.process.forget({ id });
  await processes.process
    .start({
      id,
      command: [...command],
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

/** An HVM machine without its devices has crashed; a guest without its disks is told of in the log. The answer ends it. */
export function watchEmulators(needs: DomainNeeds, domains: ReadonlyMap<string, Domain>): () => void {
  const { processes, xen, log } = needs;
  return processes.watch(({ event, process }) => {
    if (event !== 'exited' || process.tags['kind'] !== 'xen-emulator') return;
    const domain = domains.get(process.tags['vm'] ?? '');
    if (!domain || domain.doomed || idOf(domain) !== process.id) return;
    const { vm, domid } = domain;
    const machine = domain.record.spec.domainType === 'hvm';
    log.error(machine ? 'the emulator of a guest is gone' : 'what serves disk images of a guest is gone', {
      vm,
      domid,
    });
    if (!machine || !domain.info() || domain.endOf(domain.info())) return;
    void bestEffort('a machine that ended by itself', log, () => xen.domains.stop(domid, 'crash'));
  });
}
