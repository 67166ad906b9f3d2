/** The drivers that a guest needs, taken from a kernel package with all that they need themselves. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

export interface KernelModule {
  /** With underscores, as the kernel calls it. */
  readonly name: string;
  /** Unpacked. */
  readonly data: Buffer;
  readonly needs: readonly string[];
  readonly aliases: readonly string[];
}

/** The wanted modules and those that they need, each after its needs. Wanted ones that the kernel has built in are left out. */
export function collectModules(modulesFolder: string, wanted: readonly string[]): KernelModule[] {
  const files = new Map(
    readdirSync(modulesFolder, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.ko(\.(xz|zst|gz))?$/.test(path))
      .map((path) => [moduleName(path), join(modulesFolder, path)]),
  );
  const found = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const path = files.get(name);
    if (!path || found.has(name)) return;
    const module = readModule(name, path);
    for (const need of module.needs) visit(need);
    found.set(name, module);
  };
  for (const name of wanted) visit(name);
  return [...found.values()];
}

const moduleName = (path: string) =>
  basename(path)
    .replace(/\.ko.*$/, '')
    .replaceAll('-', '_');

function readModule(name: string, path: string): KernelModule {
  const data = unpacked(path);
  const info = modinfo(data);
  const needs = info.filter(([k]) => k === 'depends').flatMap(([, v]) => v.split(',').filter(Boolean));
  return {
    name,
    data,
    needs: needs.map((n) => n.replaceAll('-', '_')),
    aliases: info.filter(([k]) => k === 'alias').map(([, v]) => v),
  };
}

function unpacked(path: string): Buffer {
  if (path.endsWith('.ko')) return readFileSync(path);
  if (path.endsWith('.zst')) return zstdDecompressSync(readFileSync(path));
  return execFileSync(path.endsWith('.xz') ? 'xz' : 'gzip', ['-dc', path], { maxBuffer: 1 << 28 });
}

/** The `key=value` strings that a module carries about itself, in its ELF section `.modinfo`. */
export function modinfo(elf: Buffer): [string, string][] {
  const table = Number(elf.readBigUInt64LE(0x28));
  const [size, count, names] = [elf.readUInt16LE(0x3a), elf.readUInt16LE(0x3c), elf.readUInt16LE(0x3e)];
  const section = (i: number) => {
    const at = table + i * size;
    const offset = Number(elf.readBigUInt64LE(at + 0x18));
    return { name: elf.readUInt32LE(at), data: elf.subarray(offset, offset + Number(elf.readBigUInt64LE(at + 0x20))) };
  };
  const strings = section(names).data;
  for (let i = 0; i < count; i++) {
    const { name, data } = section(i);
    if (strings.toString('latin1', name, strings.indexOf(0, name)) !== '.modinfo') continue;
    const pairs = data.toString('utf8').split('\0').filter(Boolean);
    return pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]);
  }
  return [];
}
