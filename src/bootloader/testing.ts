/** For tests: a disk in memory, and kernels that are just whole enough. */
import type { Files, Volume } from './menu.ts';

export interface MemoryVolume extends Partial<Volume> {
  readonly files: Readonly<Record<string, string>>;
}
export function memoryFiles(volumes: Readonly<Record<string, MemoryVolume>>): Files {
  return {
    volumes: Object.entries(volumes).map(([device, v]) => ({ device, label: v.label ?? '', uuid: v.uuid ?? '' })),
    text: async ({ volume, path }) => volumes[volume]?.files[path],
    async list({ volume, path }) {
      const top = path === '/' ? '/' : `${path}/`;
      const below = Object.keys(volumes[volume]?.files ?? {}).filter((name) => name.startsWith(top));
      return [...new Set(below.map((name) => /^[^/]*\/?/.exec(name.slice(top.length))?.[0] ?? ''))];
    },
  };
}
/** A bzImage's header with as many bytes as it announces. */
export function smallKernel(bytes = 4096): Buffer {
  const image = Buffer.alloc(bytes);
  image[0x1f1] = 1;
  image.writeUInt32LE((bytes - 1024) / 16, 0x1f4);
  image.write('HdrS', 0x202, 'latin1');
  image.write(`kernel ${bytes}`, 1024);
  return image;
}
