/** What xenopsd finds of what it needs: each program with the feature that it serves and the Debian package that has it. */
import { accessSync, constants, existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

export interface Need {
  /** Its key in the configuration. */
  readonly name: string;
  readonly program: string;
  readonly package: string;
  readonly feature: string;
  /** Without it the daemon does not start. */
  readonly essential: boolean;
}
const qemu: readonly Need[] = [
  need('qemu-system-i386', 'qemu-system-x86_64', 'qemu-system-x86', 'running guests', true),
  need('qemu-img', 'qemu-img', 'qemu-utils', 'disk images, and suspending to them', false),
  need('ovmf', '/usr/share/OVMF/OVMF_CODE_4M.fd', 'ovmf', 'guests that boot by UEFI', false),
  need('network-conf', 'ip', 'iproute2', "guests on the host's bridges", false),
];
const xen: readonly Need[] = [
  need('hvmloader', '/usr/lib/xen-4.17/boot/hvmloader', 'xen-utils-4.17', 'HVM guests', false),
  need('qemu-system-xen', '/usr/libexec/xen-qemu-system-i386', 'qemu-system-xen', 'disk images', false),
  need('network-conf', 'ip', 'iproute2', "guests on the host's bridges", true),
];
const grounds: Readonly<Record<string, readonly Need[]>> = { qemu, xen, simulator: [] };

function need(name: string, program: string, pkg: string, feature: string, essential: boolean): Need {
  return { name, program, package: pkg, feature, essential };
}

export interface Found {
  readonly need: Need;
  /** Undefined: it is missing; then `looked` says where. */
  readonly path: string | undefined;
  readonly looked: string;
}
/** `paths`: where the configuration says that a helper is. `folders`: where to look else. */
export function scanEnvironment(
  ground: string,
  paths: ReadonlyMap<string, string>,
  folders: readonly string[],
  isThere: (path: string) => boolean = executable,
): readonly Found[] {
  return (grounds[ground] ?? []).map((wanted) => {
    const program = paths.get(wanted.name) ?? wanted.program;
    const places = isAbsolute(program) ? [program] : folders.map((folder) => join(folder, program));
    return { need: wanted, path: places.find(isThere), looked: places.join(', ') };
  });
}
/** One sentence: what is missing, what for, and what to do. */
export function missingText({ need: { name, program, package: pkg, feature }, looked }: Found): string {
  const ways = `install the package ${pkg}, or name it: ${name}=<path of ${program}> in the configuration, --${name}=<path>`;
  return `${program} was not found (${looked}), which is needed for ${feature}: ${ways}`;
}
/** Folders of `PATH`, then those of the `search-path` setting. */
export const searchFolders = (searchPath: string, env: NodeJS.ProcessEnv = process.env): string[] =>
  [...(env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(':'), ...searchPath.split(':')].filter(isAbsolute);

function executable(path: string): boolean {
  if (!existsSync(path)) return false;
  if (path.endsWith('.fd')) return true;
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}
