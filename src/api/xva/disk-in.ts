/**
 * Disks out of the members of an XVA archive.
 *
 *     (none) ──first chunk of a disk──▶ filling ──chunk──▶ filling ──chunk of another, end──▶ done
 *                                          └──its checksum──┘
 */
import { createHash } from 'node:crypto';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Member, TarReader } from '../../wire/tar.ts';
import { type ChunkName, largestChunk, readChunkName } from '../../wire/xva.ts';
import type { Working } from '../context.ts';
import type { Checksums } from './checksum.ts';
import { DiskSink } from './disk-sink.ts';

export interface DisksIn {
  /** Name in the archive → the disk that gets the content. */
  readonly disks: ReadonlyMap<string, Ref<'VDI'>>;
  /** Whether wrong checksums are only noted. */
  readonly force: boolean;
}
interface Filling {
  readonly id: string;
  readonly sink: DiskSink;
  /** Bytes of the first chunk: what a number that is left out stands for. */
  readonly stride: number;
  number: number;
  at: number;
  /** What the next member must say. */
  expected?: { readonly number: number; readonly digests: Readonly<Record<'xxhash' | 'sha1', string>> };
}

/** Reads all that is left of the archive. IMPORT_ERROR… says what is wrong; what was read until then is given up. */
export async function readDisks(
  working: Working,
  tar: TarReader,
  checksums: Checksums,
  { disks, force }: DisksIn,
): Promise<void> {
  const filled = new Set<string>();
  let now: Filling | undefined;
  const finish = async () => {
    if (!now) return;
    requireChecked(now, force);
    await now.sink.end();
    now = undefined;
  };
  try {
    for (let member = await tar.next(); member; member = await tar.next()) {
      const chunk = nameOf(member);
      if (chunk.checksum) {
        await check(working, tar, chunk, now, force);
        continue;
      }
      if (now?.id !== chunk.disk) {
        await finish();
        now = await start(working, member, chunk, disks, filled);
      } else requireChecked(now, force);
      await take(tar, checksums, member, chunk, now);
    }
    await finish();
  } catch (error) {
    // When storage hung up, its own words say why.
    const why = now?.sink.failure ?? error;
    await now?.sink.giveUp();
    throw why;
  }
  if ([...disks.keys()].some((id) => !filled.has(id))) throw fail('IMPORT_ERROR_ATTACHED_DISKS_NOT_FOUND', {});
}
function nameOf({ name }: Member): ChunkName {
  const chunk = readChunkName(name);
  if (chunk) return chunk;
  throw fail('IMPORT_ERROR_UNEXPECTED_FILE', { filename_expected: 'a chunk of a disk', filename_found: name });
}
async function start(
  working: Working,
  member: Member,
  { disk: id, number }: ChunkName,
  disks: ReadonlyMap<string, Ref<'VDI'>>,
  filled: Set<string>,
): Promise<Filling> {
  const ref = disks.get(id);
  const expected = 'a chunk of a disk that ova.xml names, each disk once, from 00000000 on';
  if (!ref || filled.has(id) || number !== 0)
    throw fail('IMPORT_ERROR_UNEXPECTED_FILE', { filename_expected: expected, filename_found: member.name });
  filled.add(id);
  return { id, sink: await DiskSink.open(working, ref), stride: member.size, number: -1, at: 0 };
}
async function take(
  tar: TarReader,
  checksums: Checksums,
  member: Member,
  { number }: ChunkName,
  now: Filling,
): Promise<void> {
  if (number <= now.number) {
    const filename_expected = `${now.id}, with a number above ${now.number}`;
    throw fail('IMPORT_ERROR_UNEXPECTED_FILE', { filename_expected, filename_found: member.name });
  }
  if (member.size > largestChunk)
    throw fail('IMPORT_ERROR', { msg: `a chunk of ${member.size} bytes is too large: at most ${largestChunk}` });
  now.at += (number - now.number - 1) * now.stride;
  now.number = number;
  const [fast, old] = [checksums.begin(), createHash('sha1')];
  await now.sink.begin(now.at, member.size);
  for await (const piece of tar.content()) {
    fast.update(piece);
    old.update(piece);
    await now.sink.write(piece);
  }
  now.at += member.size;
  if (member.size > 0) now.expected = { number, digests: { xxhash: fast.digest(), sha1: old.digest('hex') } };
}
const largestChecksum = 1024;
async function check(
  working: Working,
  tar: TarReader,
  { disk, number, checksum }: ChunkName,
  now: Filling | undefined,
  force: boolean,
): Promise<void> {
  const said = (await tar.bytes(largestChecksum, 'a checksum')).toString('latin1').trim();
  // Of an empty member, which stands for nothing.
  if (!now?.expected && now?.number === number && now.id === disk) return;
  const fits = now?.id === disk && now.expected?.number === number;
  const found = checksum && now?.expected?.digests[checksum];
  if (now) delete now.expected;
  if (fits && said.toUpperCase() === found?.toUpperCase()) return;
  if (!force) throw fail('IMPORT_ERROR_SOME_CHECKSUMS_FAILED', {});
  working.log.warn('a checksum of an import is wrong and is passed over', { disk, number, said, found });
}
function requireChecked(now: Filling, force: boolean): void {
  if (now.expected && !force) throw fail('IMPORT_ERROR_SOME_CHECKSUMS_FAILED', {});
  delete now.expected;
}
