/** Opens a disk for reading: straight from its files, or by QEMU where that cannot be. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { DiskSource } from './formats/disk.ts';
import { ImageSource } from './formats/image-source.ts';
import { serveImage } from './nbd-server.ts';
import type { Repositories } from './repositories.ts';

export interface OpenSource {
  readonly source: DiskSource;
  close(): Promise<void>;
  /** Closes it, whatever it is doing. */
  kill(): Promise<void>;
}
interface Ground {
  readonly repositories: Repositories;
  readonly clock: Clock;
  readonly ids: Ids;
}
/** `socket`: where QEMU may listen. The caller holds the disk. */
export async function openSource(
  { repositories, clock, ids }: Ground,
  { sr, vdi, socket, signal }: { sr: string; vdi: string; socket?: string; signal?: AbortSignal },
): Promise<OpenSource> {
  const image = await repositories.serial(sr, () => repositories.get(sr).repository.path(vdi));
  const straight = image.format === 'vpc' ? undefined : await ImageSource.open(image, signal);
  if (straight) return { source: straight, close: () => straight.close(), kill: () => straight.close() };
  const path = socket ?? join(tmpdir(), `gh-${ids.uuid()}.nbd`);
  const { client, close, kill } = await serveImage({ ...image, readOnly: true }, path, clock);
  return { source: client, close, kill };
}
