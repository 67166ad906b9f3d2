/**
 * OVA packages: a tar of the descriptor, then, in any order, the disks' files, a manifest of digests and its certificate. Disks are
 * made as their files pass; the VMs when all of them are there and every digest of the manifest is right.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Unwind } from '../../base/unwind.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { type Digest, type ManifestRow, type OvfDisk, readManifest, readOvf } from '../../wire/ovf.ts';
import type { Member, TarReader } from '../../wire/tar.ts';
import type { Working } from '../context.ts';
import { createDisk, destroyDisk } from '../handlers/vdi-work.ts';
import { createMachine } from './machine.ts';
import { fillNewDisk } from './new-disk.ts';

export interface Package {
  readonly tar: TarReader;
  /** Its first member, the descriptor. */
  readonly first: Member;
  readonly sr: Ref<'SR'>;
  /** Whether MAC addresses are kept. */
  readonly restore: boolean;
  /** Takes back what was made. */
  readonly unwind: Unwind;
}
const largestText = 4 << 20;

/** Answers the VMs that it made. */
export async function importOva(working: Working, a: Package): Promise<readonly Ref<'VM'>[]> {
  const digests = new Digests();
  const text = await a.tar.bytes(largestText, 'the descriptor');
  digests.begin(a.first.name).whole(text);
  const machines = readOvf(text.toString('utf8'));
  const wanted = new Map<string, OvfDisk>();
  for (const disk of machines.flatMap((m) => m.disks)) if (disk.file) wanted.set(disk.file.href, disk);
  const filled = new Map<string, Ref<'VDI'>>();
  for (let member = await a.tar.next(); member; member = await a.tar.next())
    await take(working, a, member, { wanted, filled, digests });
  digests.check();
  const made: Ref<'VM'>[] = [];
  for (const m of machines) {
    const disks: Ref<'VDI'>[] = [];
    for (const [i, disk] of m.disks.entries()) disks.push(await diskOf(working, a, disk, `${m.name} ${i}`, filled));
    const nics = m.nics.map((n) => (a.restore ? n : { ...n, mac: undefined }));
    made.push(await createMachine(working, { ...m, disks, nics }));
  }
  return made;
}

interface Reading {
  readonly wanted: ReadonlyMap<string, OvfDisk>;
  readonly filled: Map<string, Ref<'VDI'>>;
  readonly digests: Digests;
}
async function take(working: Working, a: Package, member: Member, { wanted, filled, digests }: Reading): Promise<void> {
  const { name, size: length } = member;
  if (name.endsWith('.mf'))
    return digests.expect(readManifest((await a.tar.bytes(largestText, name)).toString('latin1')));
  const disk = wanted.get(name);
  const content = digests.begin(name).passing(a.tar.content());
  if (!disk?.file || filled.has(name)) {
    for await (const _ of content);
    return;
  }
  const { gzip } = disk.file;
  const { sr } = a;
  const ref = await fillNewDisk(working, { sr, name, file: name, content, length, gzip, capacity: disk.capacity });
  a.unwind.add(() => destroyDisk(working, ref));
  filled.set(name, ref);
}
/** The disk whose file has come; a new one where no file belongs to it. */
async function diskOf(
  working: Working,
  { sr, unwind }: Package,
  disk: OvfDisk,
  name: string,
  filled: ReadonlyMap<string, Ref<'VDI'>>,
): Promise<Ref<'VDI'>> {
  if (disk.file) {
    const ref = filled.get(disk.file.href);
    if (!ref) throw fail('IMPORT_ERROR', { msg: `The file ${disk.file.href} of a disk is not in the package` });
    working.db.set('VDI', ref, { name_label: name });
    return ref;
  }
  const made = await createDisk(working, { sr, size: disk.capacity, name, description: '', type: 'user' });
  unwind.add(() => destroyDisk(working, made));
  return made;
}

const algorithms: readonly Digest[] = ['sha1', 'sha256', 'sha512'];
/** Digests of what passes: of the kind that the manifest has, or of all kinds until it is seen. */
class Digests {
  readonly #found = new Map<string, ReadonlyMap<Digest, string>>();
  #rows: readonly ManifestRow[] | undefined;

  expect(rows: readonly ManifestRow[]): void {
    this.#rows = rows;
  }
  begin(name: string) {
    const rows = this.#rows?.filter((r) => r.file === name);
    const kinds = rows ? rows.map((r) => r.algorithm) : algorithms;
    const hashes = new Map(kinds.map((kind): [Digest, Hash] => [kind, createHash(kind)]));
    const update = (data: Buffer) => {
      for (const hash of hashes.values()) hash.update(data);
    };
    const done = () => {
      this.#found.set(name, new Map([...hashes].map(([kind, hash]) => [kind, hash.digest('hex')])));
    };
    return {
      whole(data: Buffer): void {
        update(data);
        done();
      },
      async *passing(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
        for await (const piece of content) {
          update(piece);
          yield piece;
        }
        done();
      },
    };
  }
  /** IMPORT_ERROR for a file that is not what the manifest says, or is missing. */
  check(): void {
    for (const { file, algorithm, digest } of this.#rows ?? []) {
      const found = this.#found.get(file)?.get(algorithm);
      if (found === digest) continue;
      const why =
        found === undefined ? 'is not in the package' : `has the digest ${found}, the manifest says ${digest}`;
      throw fail('IMPORT_ERROR', { msg: `The file ${file} ${why}` });
    }
  }
}
