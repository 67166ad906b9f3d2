/** Disk files by `qemu-img`. Formats are always given, never guessed: a guest may write any header into a raw disk. */
import { open } from 'node:fs/promises';
import type { Call } from '../contracts/contract.ts';
import { runTool } from './tool.ts';

/** As QEMU calls them; `vpc` is VHD. */
export type Format = 'raw' | 'qcow2' | 'vpc';
export interface Backing {
  /** A file name in the same folder. */
  readonly file: string;
  readonly format: Format;
}

/** Makes an image, mode 0600, at a path that does not exist yet. The backing file need not be there. */
export async function createImage(path: string, format: Format, virtualSize: number, backing?: Backing): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    if (format === 'raw') return await file.truncate(virtualSize);
  } finally {
    await file.close();
  }
  // A VHD is otherwise as large as its geometry can say.
  const exact = format === 'vpc' ? ['-o', 'force_size=on'] : [];
  const under = backing ? ['-u', '-b', backing.file, '-F', backing.format] : [];
  await runTool('qemu-img', ['create', '-q', '-f', format, ...exact, ...under, '--', path, String(virtualSize)]);
}
export async function resizeImage(path: string, format: Format, virtualSize: number): Promise<void> {
  await runTool('qemu-img', ['resize', '-q', '-f', format, '--', path, String(virtualSize)]);
}
/** Writes what `path` holds into the file below it; `path` itself reads the same before, during and after, also when cut off. */
export async function commitImage(path: string, call: Call = {}): Promise<void> {
  const { signal, progress } = call;
  await runTool('qemu-img', ['commit', '-p', '-d', '-f', 'qcow2', '--', path], {
    ...(signal ? { signal } : {}),
    idle: true,
    onOutput: (text) => tellProgress(text, progress),
  });
}
/** Gives back clusters that nothing refers to, as a writer that was killed leaves them. */
export async function repairLeaks(path: string): Promise<void> {
  await runTool('qemu-img', ['check', '-q', '-r', 'leaks', '-f', 'qcow2', '--', path]);
}
/** What `-p` prints: `(12.34/100%)`. */
function tellProgress(text: string, progress: Call['progress']): void {
  const percent = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1];
  if (percent !== undefined) progress?.(Math.min(1, Number(percent) / 100));
}
/** Copies the content, through all backing files, into the existing image `to`. */
export async function convertImage(
  from: { path: string; format: Format },
  to: { path: string; format: Format },
  call: Call = {},
): Promise<void> {
  const args = [
    'convert',
    '-p',
    '-n',
    '--target-is-zero',
    '-f',
    from.format,
    '-O',
    to.format,
    '--',
    from.path,
    to.path,
  ];
  const { signal, progress } = call;
  await runTool('qemu-img', args, {
    ...(signal ? { signal } : {}),
    onOutput: (text) => tellProgress(text, progress),
  });
}
/** Bytes that a copy in `format` will take; of a VHD, which QEMU does not measure, those of the content. */
export async function measureImage(path: string, from: Format, format: Format): Promise<number> {
  const measured = format === 'vpc' ? 'raw' : format;
  const text = await runTool('qemu-img', ['measure', '--output=json', '-f', from, '-O', measured, '--', path]);
  return Number((JSON.parse(text) as { required: number }).required);
}
