/** Writes a tar archive of the `ustar` form, for plain files with paths of at most 255 bytes. */
export interface TarFile {
  readonly path: string;
  readonly data: Uint8Array;
  /** Seconds since the epoch. */
  readonly mtime: number;
}

const block = 512;

/** All of it in memory: bug reports are small. */
export function tar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap((f) => [header(f), Buffer.from(f.data), Buffer.alloc(-f.data.length & (block - 1))]);
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header({ path, data, mtime }: TarFile): Buffer {
  const [prefix, name] = splitPath(path);
  const head = Buffer.alloc(block);
  const put = (at: number, text: string) => head.write(text, at, 'utf8');
  const octal = (at: number, digits: number, n: number) => put(at, n.toString(8).padStart(digits, '0'));
  put(0, name);
  octal(100, 7, 0o600);
  octal(108, 7, 0);
  octal(116, 7, 0);
  octal(124, 11, data.length);
  octal(136, 11, Math.max(0, Math.floor(mtime)));
  put(148, '        ');
  put(156, '0');
  put(257, 'ustar\x0000');
  put(345, prefix);
  octal(
    148,
    6,
    head.reduce((sum, byte) => sum + byte, 0),
  );
  head[154] = 0;
  return head;
}

/** Into at most 155 bytes, a slash, and at most 100 bytes. */
function splitPath(path: string): [string, string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, name];
  }
  throw new Error(`${path}: this path is too long for a tar archive`);
}
