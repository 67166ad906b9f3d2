/** Tiny Linux with QEMU's guest agent, as Debian has it, and the libraries that it needs, in a second archive behind its first root. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cpio, type Entry, file, folder } from '../../tools/guest/cpio.ts';
import { cannotRun } from './host.ts';

const program = '/usr/sbin/qemu-ga';
const built = join(import.meta.dirname, '../../build/guest');

export function cannotHaveAgent(): string | undefined {
  if (!existsSync(program)) return 'the agent is not installed: the package qemu-guest-agent has it';
  return cannotRun();
}

/** The agent ends its guest with a command that busybox does not have. */
const shutdown = '#!/bin/sh\n[ "$2" = -r ] && exec /sbin/reboot\nexec /sbin/poweroff\n';
/** Typed in the guest: waits for the port, and starts the agent. */
export const startAgent =
  'modprobe -q virtio_console; until [ -e /dev/vport*p1 ]; do sleep 0.1; done; qemu-ga -d -t /run -f /run/qga.pid -p /dev/vport*p1';

/** Writes the ramdisk to `path`; the answer is a guest that is made of it. */
export function agentGuest(path: string): { kernel: string; ramdisk: string; cmdline: string } {
  const m = JSON.parse(readFileSync(join(built, 'manifest.json'), 'utf8')) as Record<string, string>;
  const libraries = [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(
    (f) => f[1] ?? '',
  );
  const files: Entry[] = [program, ...libraries].map((from) => file(from.slice(1), readFileSync(from), 0o755));
  const all = [...files, file('sbin/shutdown', Buffer.from(shutdown), 0o755)];
  const folders = new Set(all.flatMap((e) => above(e.path)));
  for (const there of ['sbin', 'lib', 'usr', 'usr/sbin']) folders.delete(there);
  // In the guest /usr/sbin is a link to /sbin.
  const placed = all.map((e) => ({ ...e, path: e.path.replace(/^usr\/sbin\//, 'sbin/') }));
  const more = cpio([...[...folders].sort().map((name) => folder(name)), ...placed]);
  writeFileSync(path, Buffer.concat([readFileSync(join(built, m['ramdisk'] ?? '')), more]), { mode: 0o644 });
  return { kernel: join(built, m['kernel'] ?? ''), ramdisk: path, cmdline: m['cmdline'] ?? '' };
}
function above(path: string): string[] {
  const at = dirname(path);
  return at === '.' ? [] : [...above(at), at];
}
