/** `guesthouse bugreport`: logs, records without secrets and versions in one archive, for whoever looks into a problem. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { classes, schemaVersion } from '../datamodel/index.ts';
import { exportStore } from '../db/maintenance.ts';
import { type Places, places } from './places.ts';
import { Refusal } from './refusal.ts';
import { look } from './status.ts';
import { type TarFile, tar } from './tar.ts';
import type { Terminal } from './up.ts';
import { version } from './version.ts';

/** Of each log the last bytes are taken. */
const logTailBytes = 2 * 1024 * 1024;

/** Works whether the host runs or not; what cannot be had is named in the report. */
export async function bugreport(options: { data: string; output?: string }, { out, say }: Terminal): Promise<number> {
  const at = places(options.data);
  if (!existsSync(at.data))
    throw new Refusal(`--data ${at.data}: no such folder; name the host's folder with --data DIR`);
  const now = new Date();
  const stamp = now
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[-:]/g, '')
    .replace('T', '-');
  const name = `guesthouse-bugreport-${stamp}`;
  const path = resolve(options.output ?? `${name}.tar.gz`);
  const parts: [string, () => string | Promise<string>][] = [
    ['versions.txt', versions],
    ['status.json', async () => JSON.stringify(await look(at.data), null, 2)],
    ['records.txt', () => records(at)],
    ['children.json', () => children(at)],
    ...logs(at).map((log): [string, () => string] => [join('log', relative(at.logs, log)), () => tail(log)]),
  ];
  const hide = secretsOf(at);
  const files: TarFile[] = [];
  for (const [file, make] of parts) {
    const data = Buffer.from(hide(await attempt(file, make, say)));
    files.push({ path: `${name}/${file}`, data, mtime: now.getTime() / 1000 });
  }
  try {
    writeFileSync(path, gzipSync(tar(files)), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new Refusal(`-o ${path}: it cannot be written (${(error as NodeJS.ErrnoException).code}); name another file`);
  }
  out(path);
  return 0;
}

async function attempt(file: string, make: () => string | Promise<string>, say: Terminal['say']): Promise<string> {
  try {
    return await make();
  } catch (error) {
    say(`guesthouse: ${file} is not in the report: ${(error as Error).message}`);
    return `not to be had: ${(error as Error).stack}\n`;
  }
}

function versions(): string {
  const packages = [
    'qemu-system-x86',
    'qemu-utils',
    'ovmf',
    'seabios',
    'dnsmasq-base',
    'nftables',
    'iproute2',
    'busybox-static',
  ];
  const found = spawnSync('dpkg-query', ['-W', ...packages], { encoding: 'utf8' });
  const osRelease = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return [
    `guesthouse ${version}`,
    `node ${process.version} on ${process.platform} ${process.arch}`,
    `kernel ${release()}`,
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${totalmem()} bytes of memory`,
    `/dev/kvm ${existsSync('/dev/kvm') ? 'is there' : 'is missing'}, uid ${process.getuid?.()}`,
    osRelease,
    found.stdout ?? '',
  ].join('\n');
}

/** The database as text, passwords and keys left out. */
function records(at: Places): string {
  const path = join(at.data, 'state.db');
  if (!existsSync(path)) return 'there is no database yet\n';
  const text: string[] = [];
  exportStore({ path, schema: schemaVersion, classes }, false, (line) => text.push(line));
  return text.join('');
}

/** What the supervisor has written down, without environments. */
function children(at: Places): string {
  if (!existsSync(at.processes)) return '[]\n';
  const names = readdirSync(at.processes).filter((name) => name.endsWith('.json'));
  const all = names.map((name) => JSON.parse(readFileSync(join(at.processes, name), 'utf8')));
  return `${JSON.stringify(all, (key, value) => (key === 'env' || key === 'token' ? undefined : value), 2)}\n`;
}

function logs(at: Places): string[] {
  if (!existsSync(at.logs)) return [];
  const all = readdirSync(at.logs, { recursive: true, withFileTypes: true });
  return all.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
}

function tail(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, logTailBytes));
    const got = readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8', 0, got);
  } finally {
    closeSync(fd);
  }
}

/** Strikes out root's password should it stand anywhere. */
function secretsOf(at: Places): (text: string) => string {
  const known = [at.password, at.passwordNew].filter((p) => existsSync(p)).map((p) => readFileSync(p, 'utf8').trim());
  return (text) => known.filter((s) => s.length > 3).reduce((t, secret) => t.replaceAll(secret, '(struck out)'), text);
}
