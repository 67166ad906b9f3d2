/** Decides how guests are run, by running one, and remembers the answer until the host boots again. */
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bestEffort } from '../../../base/best-effort.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Log } from '../../../base/log.ts';
import type { Processes, ProcessInfo, ProcessSpec } from '../../../contracts/processes.ts';
import type { Accelerator } from './machine.ts';
import { passedStatus, probeKernel } from './probe-payload.ts';
import type { RunAs } from './user.ts';

export interface ProbeOptions {
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Log;
  readonly dir: string;
  readonly qemu: string;
  readonly acceleration?: 'auto' | Accelerator;
  readonly runAs?: RunAs | undefined;
}
export interface Findings {
  /** QEMU's version, `7.2.22`. */
  readonly version: string;
  readonly accelerator: Accelerator;
  readonly reason: string;
  /** The group that may open /dev/kvm, where guests need it. */
  readonly gid: number | undefined;
}

/** How long the probe's guest may take; on working hardware it takes a tenth of a second. */
const probeMs = 3_000;

/** What is known of this QEMU on this host since it booted; found out first, if nothing is. */
export async function probe(options: ProbeOptions): Promise<Findings> {
  const { dir, log, acceleration = 'auto' } = options;
  const key = await circumstances(options);
  const file = join(dir, 'ground.json');
  const kept = await remembered(file, key);
  if (kept) return kept;
  const [version, kvm] = await Promise.all([versionOf(options), acceleration === 'tcg' ? undefined : tryKvm(options)]);
  const findings: Findings = {
    version,
    accelerator: acceleration === 'kvm' || kvm?.works ? 'kvm' : 'tcg',
    reason: acceleration === 'auto' ? (kvm?.reason ?? '') : 'as it was asked for',
    gid: kvm?.gid,
  };
  log.info('decided how guests are run', { ...findings, qemu: options.qemu });
  await writeFile(`${file}.next`, JSON.stringify({ key, findings }));
  await rename(`${file}.next`, file);
  return findings;
}
/** What the answer depends on. */
async function circumstances({ qemu, acceleration, runAs }: ProbeOptions): Promise<string> {
  const { size, mtimeMs } = await stat(qemu).catch((error: unknown) => {
    throw new Error(`${qemu} cannot be used: ${String(error)}`);
  });
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return JSON.stringify([boot, qemu, size, mtimeMs, acceleration ?? 'auto', runAs ?? null]);
}
async function remembered(file: string, key: string): Promise<Findings | undefined> {
  try {
    const kept = JSON.parse(await readFile(file, 'utf8')) as { key: string; findings: Findings };
    return kept.key === key ? kept.findings : undefined;
  } catch {
    return undefined; // absent or damaged: it is found out again
  }
}

async function versionOf(options: ProbeOptions): Promise<string> {
  const { output } = await runQemu(options, 'version', ['--version'], {});
  const version = /version (\d+\.\d+(\.\d+)?)/.exec(output)?.[1];
  if (version === undefined) throw new Error(`${options.qemu} --version says nothing of use: ${output.slice(0, 200)}`);
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major * 100 + minor < 602) throw new Error(`${options.qemu} is version ${version}; 6.2 or newer is needed`);
  return version;
}

async function tryKvm(options: ProbeOptions): Promise<{ works: boolean; reason: string; gid?: number }> {
  const device = await stat('/dev/kvm').catch(() => undefined);
  if (!device) return { works: false, reason: 'there is no /dev/kvm' };
  const { runAs } = options;
  // Guests run as users of their own: they open it as anybody, or as its group.
  const gid = runAs && (device.mode & 0o006) !== 0o006 && (device.mode & 0o060) === 0o060 ? device.gid : undefined;
  const kernel = join(options.dir, 'probe.elf');
  await writeFile(kernel, probeKernel(), { mode: 0o644 });
  const user = runAs ? { uid: runAs.baseUid, gid: gid ?? runAs.gid } : {};
  const { info, output } = await runQemu(
    options,
    'kvm',
    [
      ...['-nodefaults', '-no-user-config', '-machine', 'microvm', '-accel', 'kvm', '-cpu', 'host', '-m', '16m'],
      ...['-display', 'none', '-no-reboot', '-kernel', kernel, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ],
    user,
  );
  await rm(kernel, { force: true });
  if (info?.exitCode === passedStatus)
    return { works: true, reason: 'KVM ran a kernel', ...(gid === undefined ? {} : { gid }) };
  const why = output.trim().split('\n')[0]?.slice(0, 200) ?? '';
  return { works: false, reason: `KVM did not run a kernel within ${probeMs} ms${why ? `: ${why}` : ''}` };
}

/** Runs a QEMU to its end, or until its time is up; `info` is absent when it was. */
async function runQemu(
  { processes, clock, log, dir, qemu }: ProbeOptions,
  name: string,
  args: readonly string[],
  user: Pick<ProcessSpec, 'uid' | 'gid'>,
): Promise<{ info: ProcessInfo | undefined; output: string }> {
  const id = `qemu-probe-${name}-${process.pid}`;
  const output = join(dir, `${id}.log`);
  const ended = Promise.withResolvers<ProcessInfo | undefined>();
  const unwatch = processes.watch(({ event, process }) => {
    if (event === 'exited' && process.id === id) ended.resolve(process);
  });
  const cancel = clock.after(probeMs, () => ended.resolve(undefined));
  try {
    await processes.process.start({
      id,
      command: [qemu, ...args],
      cwd: '/',
      log: output,
      tags: { kind: 'probe' },
      ...user,
    });
    const info = await ended.promise;
    return { info, output: await readFile(output, 'utf8') };
  } finally {
    cancel();
    unwatch();
    await bestEffort('the end of a probe', log, async () => {
      await processes.process.kill({ id });
      await processes.process.forget({ id });
      await rm(output, { force: true });
    });
  }
}
