/** Writes a cpio archive of the `newc` form, which the kernel unpacks as its first root. The same input gives the same bytes. */
export interface Entry {
  /** Without a leading slash. */
  readonly path: string;
  /** File type and permissions, as in `stat`: `0o100755`. */
  readonly mode: number;
  readonly data?: Uint8Array;
  /** Of a device node. */
  readonly device?: { readonly major: number; readonly minor: number };
}

export const folder = (path: string, mode = 0o755): Entry => ({ path, mode: 0o040000 | mode });
export const file = (path: string, data: Uint8Array, mode = 0o644): Entry => ({ path, mode: 0o100000 | mode, data });
export const link = (path: string, target: string): Entry => ({ path, mode: 0o120777, data: Buffer.from(target) });
export const charDevice = (path: string, major: number, minor: number, mode = 0o600): Entry => ({
  path,
  mode: 0o020000 | mode,
  device: { major, minor },
});

/** Folders must come before what is in them. */
export function cpio(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry, i) => record(entry, i + 1));
  return Buffer.concat([...parts, ...record({ path: 'TRAILER!!!', mode: 0 }, 0)]);
}

function record(entry: Entry, inode: number): Buffer[] {
  const data = Buffer.from(entry.data ?? []);
  const name = Buffer.from(`${entry.path}\0`);
  const links = entry.path === 'TRAILER!!!' ? 1 : (entry.mode & 0o170000) === 0o040000 ? 2 : 1;
  const { major = 0, minor = 0 } = entry.device ?? {};
  const numbers = [inode, entry.mode, 0, 0, links, 0, data.length, 0, 0, major, minor, name.length, 0];
  const header = Buffer.from(`070701${numbers.map((n) => n.toString(16).padStart(8, '0')).join('')}`);
  return [header, name, padding(header.length + name.length), data, padding(data.length)];
}

const padding = (length: number) => Buffer.alloc((4 - (length % 4)) % 4);
