/** What a user would pick instead: libvirt, when a daemon of it answers at `LIBVIRT_URI` (qemu:///system). */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const uri = process.env['LIBVIRT_URI'] ?? 'qemu:///system';
const virsh = (...args: string[]) => run('virsh', ['-q', '-c', uri, ...args]);

export interface Peer {
  /** Milliseconds of `start` and `destroy`, asked of one virsh that stays connected. */
  cycle(): Promise<[start: number, destroy: number]>;
  close(): Promise<void>;
}

/** The domain to measure, or why there is none. */
export async function libvirtPeer(
  guest: { kernel: string; ramdisk: string; cmdline: string },
  memoryMib: number,
): Promise<Peer | string> {
  try {
    await virsh('version');
  } catch (error) {
    const { code, stderr = '' } = error as { code?: string; stderr?: string };
    return code === 'ENOENT'
      ? 'virsh is not installed (libvirt-clients)'
      : `no libvirt daemon answers at ${uri}: ${stderr.trim().split('\n')[0]}`;
  }
  const name = `guesthouse-bench-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'gh-libvirt-'));
  const file = join(folder, 'domain.xml');
  writeFileSync(
    file,
    `<domain type='qemu'><name>${name}</name><memory unit='MiB'>${memoryMib}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>${guest.kernel}</kernel><initrd>${guest.ramdisk}</initrd><cmdline>${guest.cmdline}</cmdline></os>
<features><acpi/></features><on_poweroff>destroy</on_poweroff>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><serial type='null'/><console type='null'/></devices></domain>`,
  );
  await virsh('define', file);
  // virsh keeps what it prints to a pipe until it ends, unless it is told not to.
  const shell = spawn('stdbuf', ['-oL', 'virsh', '-q', '-c', uri], { stdio: ['pipe', 'pipe', 'inherit'] });
  let printed = '';
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const timed = async (verb: string) => {
    const began = performance.now();
    printed = '';
    shell.stdin.write(`${verb} ${name}\necho ${verb} is done\n`);
    // It repeats what it was told, and says it then.
    while (!new RegExp(`(?<!echo )${verb} is done`).test(printed)) await once(shell.stdout, 'data');
    return performance.now() - began;
  };
  return {
    cycle: async () => [await timed('start'), await timed('destroy')],
    async close() {
      shell.stdin.end();
      await virsh('undefine', name);
      rmSync(folder, { recursive: true });
    },
  };
}
