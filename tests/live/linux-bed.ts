/** Tiny Linux on a host in this process: its files, and typing at its serial console. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestHouse } from '../scenario/house.ts';
import { consoleSays } from './host.ts';

const folder = join(import.meta.dirname, '../../build/guest');
/** The tiny guest's files. */
export const image = () => {
  const m = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<
    'kernel' | 'ramdisk' | 'cmdline',
    string
  >;
  return { kernel: join(folder, m.kernel), ramdisk: join(folder, m.ramdisk), cmdline: m.cmdline };
};
/** Types a line at the guest's serial console, and answers when the guest has printed `word` on a line of its own. */
export async function type(h: TestHouse, uuid: string, line: string, word: string): Promise<void> {
  const { state } = await h.house.xenops.vm.stat({ id: uuid });
  const socket = connect(state.consoles.find((c) => c.protocol === 'vt100')?.socket ?? '');
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.resume().write(`${line}\n`);
  await consoleSays(join(h.data, 'domains', uuid, 'console.log'), word);
  socket.destroy();
}
