/**
 * Reads an image from its files: `qemu-img map` says where everything lies, through all layers, and the bytes are read from there. Of
 * packed clusters it says nothing: such images are read through `qemu-nbd` instead.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Unwind } from '../../base/unwind.ts';
import { storageErrors } from '../../contracts/storage.ts';
import type { Extent } from '../nbd.ts';
import type { Format } from '../qemu-img.ts';
import { runTool } from '../tool.ts';
import type { DiskSource } from './disk.ts';

/** What `qemu-img map` says of a part of the disk. */
interface Row {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset?: number;
}
/** Of one layer. `at` is the byte in its file; -1: it reads as zeroes. */
interface Part {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly at: number;
}
const deepest = 64;

export class ImageSource implements DiskSource {
  readonly size: number;
  readonly #files: readonly FileHandle[];
  /** Of the files: the same for the same file, whatever it is called. */
  readonly #names: readonly string[];
  readonly #parts: readonly Part[];

  private constructor(size: number, files: readonly FileHandle[], names: readonly string[], parts: readonly Part[]) {
    this.size = size;
    this.#files = files;
    this.#names = names;
    this.#parts = parts;
  }
  /** Undefined for an image that cannot be read so. Nobody may write to it. */
  static async open(image: { path: string; format: Format }, signal?: AbortSignal): Promise<ImageSource | undefined> {
    const parts = await partsOf(image, signal);
    if (!parts) return undefined;
    const unwind = new Unwind();
    const files: FileHandle[] = [];
    try {
      for (let path: string | undefined = image.path; path !== undefined; ) {
        if (files.length > deepest)
          throw storageErrors.make('Bad_data', { reason: `${image.path} has more than ${deepest} layers` });
        const file: FileHandle = await open(path, 'r');
        unwind.add(() => file.close());
        files.push(file);
        const below: string | undefined = image.format === 'qcow2' ? await backingOf(file) : undefined;
        path = below === undefined ? undefined : join(dirname(path), below);
      }
      const last = parts.at(-1);
      const names = await Promise.all(files.map(async (file) => nameOf(await file.stat())));
      const source = new ImageSource(last ? last.start + last.length : 0, files, names, parts);
      unwind.keep();
      return source;
    } catch (error) {
      await unwind.run();
      throw error;
    }
  }
  async close(): Promise<void> {
    for (const file of this.#files) await file.close();
  }
  async read(offset: number, length: number): Promise<Buffer> {
    const data = Buffer.allocUnsafe(length);
    for (let i = this.#find(offset), done = 0; done < length; i++) {
      const part = this.#parts[i];
      if (!part) throw new RangeError(`byte ${offset + done} is behind the end`);
      const within = offset + done - part.start;
      const now = Math.min(length - done, part.length - within);
      const into = data.subarray(done, done + now);
      if (part.at < 0) into.fill(0);
      else await readFully(this.#files[part.depth], into, part.at + within);
      done += now;
    }
    return data;
  }
  async blockStatus(offset: number, length: number): Promise<readonly Extent[]> {
    const extents: Extent[] = [];
    const end = Math.min(offset + length, this.size);
    for (let i = this.#find(offset), at = offset; at < end; i++) {
      const part = this.#parts[i] as Part;
      const to = Math.min(end, part.start + part.length);
      extents.push({ length: to - at, zero: part.at < 0 });
      at = to;
    }
    return extents;
  }
  place(offset: number, length: number): string | undefined {
    const part = this.#parts[this.#find(offset)];
    if (!part || part.at < 0 || offset + length > part.start + part.length) return undefined;
    return `${this.#names[part.depth]}:${part.at + offset - part.start}`;
  }
  /** The part that holds a byte. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#parts[middle] as Part).start <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const nameOf = ({ dev, ino }: { dev: number; ino: number }): string => `${dev}-${ino}`;

/** A file may end before the sector that its last bytes are in. */
async function readFully(file: FileHandle | undefined, into: Buffer, at: number): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = (await file?.read(into, done, into.length - done, at + done)) ?? { bytesRead: 0 };
    if (bytesRead === 0) {
      into.fill(0, done);
      return;
    }
    done += bytesRead;
  }
}
async function partsOf(
  { path, format }: { path: string; format: Format },
  signal?: AbortSignal,
): Promise<Part[] | undefined> {
  const parts: Part[] = [];
  let rest = '';
  let packed = false;
  const take = (line: string) => {
    const text = line.replace(/^\[/, '').replace(/[\],]\s*$/, '');
    if (text.trim() === '') return;
    const { start, length, depth, zero, data, offset } = JSON.parse(text) as Row;
    const holds = data && !zero;
    if (holds && offset === undefined) packed = true;
    else parts.push({ start, length, depth, at: holds ? (offset as number) : -1 });
  };
  await runTool('qemu-img', ['map', '--output=json', '-f', format, '--', path], {
    ...(signal ? { signal } : {}),
    onOutput(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    },
  });
  take(rest);
  return packed ? undefined : parts;
}
/** The name of the file below a qcow2 file, which is in the same folder. */
async function backingOf(file: FileHandle): Promise<string | undefined> {
  const header = Buffer.alloc(24);
  const { bytesRead } = await file.read(header, 0, 24, 0);
  if (bytesRead < 24 || header.readUInt32BE(0) !== 0x514649fb) return undefined;
  const length = header.readUInt32BE(16);
  if (length === 0) return undefined;
  const name = Buffer.alloc(Math.min(length, 1023));
  await file.read(name, 0, name.length, Number(header.readBigUInt64BE(8)));
  return name.toString('utf8');
}
