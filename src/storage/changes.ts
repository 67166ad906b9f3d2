/**
 * Which blocks of a disk changed between two moments of it. Where both are there their content is compared; where the earlier one's
 * content was given up, a bitmap that was made then tells, up to the disk that it was compared with, and so on from there.
 *
 *     snapshot with content ──drop──▶ bitmap to a later one ──drop of that──▶ bitmap ──▶ bitmap …
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ids } from '../base/ids.ts';
import { storageErrors } from '../contracts/storage.ts';
import { isAbsent, removeFile, writeDurably } from './durable.ts';
import { differing } from './formats/differing.ts';
import { openSource } from './open-source.ts';
import { type Repositories, requireUuid } from './repositories.ts';
import type { TransferGround } from './transfers.ts';
import type { Uses } from './uses.ts';

/** Bytes of a block; bits are counted from the highest of the first byte. */
const block = 64 << 10;

interface Kept {
  /** The disk that it was compared with. */
  readonly to: string;
  /** Base64. */
  readonly bitmap: string;
}
interface Pair {
  readonly sr: string;
  readonly from: string;
  readonly to: string;
}
export interface ChangesGround extends Pick<TransferGround, 'dir' | 'clock'> {
  readonly ids: Ids;
  readonly repositories: Repositories;
  readonly uses: Uses;
}

export class Changes {
  readonly #ground: ChangesGround;
  constructor(ground: ChangesGround) {
    this.#ground = ground;
  }
  /** The bitmap, in base64. Does_not_exist when one of them, or what leads from the one to the other, is not known. */
  async between({ sr, from, to }: Pair): Promise<string> {
    let all: Buffer = Buffer.alloc(0);
    for (let at = from; at !== to; ) {
      const kept = await this.#kept(at);
      const bitmap = kept ? Buffer.from(kept.bitmap, 'base64') : await this.#compare({ sr, from: at, to });
      all = either(all, bitmap);
      at = kept ? kept.to : to;
    }
    return all.toString('base64');
  }
  /** Notes what differs from `from` to `to`: from now on `from` may lose its content. Repeating it changes nothing. */
  async note(pair: Pair): Promise<void> {
    requireUuid('from', pair.from);
    if (await this.#kept(pair.from)) return;
    const bitmap = (await this.#compare(pair)).toString('base64');
    const folder = join(this.#ground.dir, 'changes');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ to: pair.to, bitmap } satisfies Kept);
    await writeDurably(this.#file(pair.from), join(folder, `${this.#ground.ids.uuid()}.tmp`), text);
  }
  async forget(vdi: string): Promise<void> {
    await removeFile(this.#file(vdi));
  }
  #file(vdi: string): string {
    return join(this.#ground.dir, 'changes', `${vdi}.json`);
  }
  async #kept(vdi: string): Promise<Kept | undefined> {
    requireUuid('from', vdi);
    try {
      return JSON.parse(await readFile(this.#file(vdi), 'utf8')) as Kept;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      if (!(error instanceof SyntaxError)) throw error;
      throw storageErrors.make('Bad_data', { reason: `${this.#file(vdi)} is damaged` }, { cause: error });
    }
  }
  async #compare({ sr, from, to }: Pair): Promise<Buffer> {
    const { repositories, uses } = this.#ground;
    const releases: (() => void)[] = [];
    const sizes = await repositories.serial(sr, async () => {
      const { repository } = repositories.get(sr);
      const found = [await repository.info(from), await repository.info(to)];
      for (const vdi of [from, to]) releases.push(uses.hold(sr, vdi, 'a comparison', 'RO'));
      return found.map((info) => info.virtualSize);
    });
    const opened: Awaited<ReturnType<typeof openSource>>[] = [];
    try {
      for (const vdi of [from, to]) opened.push(await openSource(this.#ground, { sr, vdi }));
      const [a, b] = opened;
      const size = Math.max(...sizes);
      const map = a && b && (await differing(b.source, a.source, size, block));
      const bitmap = Buffer.alloc(Math.ceil(Math.ceil(size / block) / 8));
      for (const i of map?.units() ?? []) (bitmap[i >> 3] as number) |= 0x80 >> (i & 7);
      return bitmap;
    } finally {
      for (const each of opened) await each.kill();
      for (const release of releases) release();
    }
  }
}
function either(a: Buffer, b: Buffer): Buffer {
  const out = Buffer.alloc(Math.max(a.length, b.length));
  for (let i = 0; i < out.length; i++) out[i] = (a[i] ?? 0) | (b[i] ?? 0);
  return out;
}
