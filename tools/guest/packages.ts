/** Gets and unpacks Debian or Ubuntu packages without installing them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What leads to the kernel made for virtual machines: Debian's, then Ubuntu's. */
const kernelMetapackages = [`linux-image-cloud-${architecture()}`, 'linux-image-virtual'];

/** The packages that hold the current kernel and its modules. */
export function kernelPackages(): string[] {
  for (const meta of kernelMetapackages) {
    const found = dependencies(meta).filter((name) => /^linux-(image|modules)-\d/.test(name));
    const more = found.flatMap((name) => dependencies(name)).filter((name) => /^linux-modules-\d/.test(name));
    if (found.length > 0) return [...new Set([...found, ...more])];
  }
  throw new Error(
    `neither ${kernelMetapackages.join(' nor ')} is known to apt; run 'apt-get update' as root, then this again`,
  );
}

/** Downloads each package into `folder` and unpacks it into `folder/root`, whose path is the answer. */
export function unpackPackages(names: readonly string[], folder: string): string {
  const root = join(folder, 'root');
  mkdirSync(root, { recursive: true });
  const args = ['download', '-q', '-o', 'APT::Sandbox::User=root', ...names];
  const got = spawnSync('apt-get', args, { cwd: folder, encoding: 'utf8' });
  if (got.status !== 0) throw new Error(`apt-get download ${names.join(' ')} failed: ${got.stderr.trim()}`);
  for (const name of readdirSync(folder))
    if (name.endsWith('.deb')) execFileSync('dpkg-deb', ['-x', join(folder, name), root]);
  return root;
}

function dependencies(name: string): string[] {
  const got = spawnSync('apt-cache', ['depends', '--important', name], { encoding: 'utf8' });
  if (got.status !== 0) return [];
  return [...got.stdout.matchAll(/^ {2}\|?(?:Pre)?Depends: (\S+)$/gm)].map((m) => m[1] ?? '');
}

function architecture(): string {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}
