/** What makes a box this one: keys made for it alone, and settings, as a tar file that the box reads from a disk. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { BoxPlaces } from './places.ts';
import { runTool } from './tool.ts';

export interface BoxSettings {
  readonly hypervisor: 'xen' | 'simulator';
  /** Whose store daemon serves the box. */
  readonly xenstored: 'own' | 'debian';
}

/** The file of settings, as the box's shell reads it; also part of what a snapshot depends on. */
export const settingsText = (s: BoxSettings): string => `HYPERVISOR=${s.hypervisor}\nXENSTORED=${s.xenstored}\n`;

/** Makes keys that are not there yet, and the seed. */
export async function writeSeed(at: BoxPlaces, settings: BoxSettings): Promise<void> {
  mkdirSync(at.ssh, { recursive: true, mode: 0o700 });
  for (const [path, comment] of [
    [at.key, 'box'],
    [at.hostKey, 'box-host'],
  ] as const)
    if (!existsSync(path))
      await runTool(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path], {
        package: 'openssh-client',
      });
  writeFileSync(at.knownHosts, `box ${readFileSync(`${at.hostKey}.pub`, 'utf8')}`);
  const archive = Buffer.concat([
    ...tarFile('authorized_keys', readFileSync(`${at.key}.pub`)),
    ...tarFile('host_key', readFileSync(at.hostKey)),
    ...tarFile('settings', Buffer.from(settingsText(settings))),
    // The end of the archive, and enough for whoever looks for partitions.
    Buffer.alloc(65_536),
  ]);
  writeFileSync(at.seed, archive, { mode: 0o600 });
}

/** One entry of a tar file: its header and its data in whole blocks. */
function tarFile(name: string, data: Buffer): Buffer[] {
  const header = Buffer.alloc(512);
  const octal = (value: number, at: number, size: number) =>
    header.write(`${value.toString(8).padStart(size - 1, '0')}\0`, at, 'latin1');
  header.write(name, 0, 'latin1');
  octal(0o600, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(data.length, 124, 12);
  octal(0, 136, 12);
  header.write('        ', 148, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
}
