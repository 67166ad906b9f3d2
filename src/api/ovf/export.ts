/** A VM as an OVA package: descriptor, disks as stream-optimised VMDK files, and last the manifest with the digests of what came before. */
import { createHash } from 'node:crypto';
import type { Ref } from '../../datamodel/dsl.ts';
import { type OvfMachine, writeManifest, writeOvf } from '../../wire/ovf.ts';
import { tarEnd, tarHeader, tarPadding } from '../../wire/tar.ts';
import type { Working } from '../context.ts';
import { cancel } from '../routes/disk-target.ts';
import { member } from '../xva/disk-out.ts';

interface DiskFile {
  readonly file: string;
  readonly bytes: number;
  /** Bytes of the disk. */
  readonly capacity: number;
  readonly transfer: string;
  readonly content: AsyncIterable<Buffer>;
  readonly done: Promise<unknown>;
}

/** The whole package. The disks are held from the start: their sizes go before them. */
export async function* ovaOf(working: Working, vm: Ref<'VM'>, version: 1 | 2): AsyncGenerator<Buffer> {
  const { db, clock, task } = working;
  const modified = Math.floor(clock.now() / 1000);
  const { uuid } = db.get('VM', vm);
  const disks: DiskFile[] = [];
  try {
    for (const vdi of disksOf(working, vm)) disks.push(await opened(working, vdi));
    const text = Buffer.from(writeOvf({ version, id: uuid, machine: machineOf(working, vm), disks }));
    const rows = [{ file: `${uuid}.ovf`, digest: createHash('sha256').update(text).digest('hex') }];
    yield* member(`${uuid}.ovf`, text, modified);
    const total = disks.reduce((sum, d) => sum + d.bytes, 0);
    let passed = 0;
    for (const { file, bytes, content, done } of disks) {
      yield tarHeader({ name: file, size: bytes }, modified);
      const hash = createHash('sha256');
      for await (const piece of content) {
        hash.update(piece);
        passed += piece.length;
        task.progress(passed / total);
        yield piece;
      }
      await done;
      yield Buffer.alloc(tarPadding(bytes));
      rows.push({ file, digest: hash.digest('hex') });
    }
    yield* member(`${uuid}.mf`, Buffer.from(writeManifest(rows)), modified);
    yield tarEnd;
  } finally {
    for (const { transfer, done } of disks) await cancel(working, { transfer, done });
  }
}
const drivesOf = ({ db }: Working, vm: Ref<'VM'>) =>
  db
    .get('VM', vm)
    .VBDs.map((ref) => db.get('VBD', ref))
    .sort((a, b) => a.userdevice.localeCompare(b.userdevice, 'en', { numeric: true }));
const disksOf = (working: Working, vm: Ref<'VM'>): readonly Ref<'VDI'>[] =>
  drivesOf(working, vm)
    .filter((d) => d.type === 'Disk' && !d.empty)
    .map((d) => d.VDI);

async function opened({ db, storage, connect, task }: Working, ref: Ref<'VDI'>): Promise<DiskFile> {
  const { uuid: vdi, SR, virtual_size: capacity } = db.get('VDI', ref);
  const args = { sr: db.get('SR', SR).uuid, vdi, direction: 'export', format: 'vmdk-stored' } as const;
  const { transfer, socket, length } = await storage.transfer.begin(args, { label: task.ref });
  const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
  // It is awaited when the disk has passed; until then a failure shows as the end of the socket.
  done.catch(() => undefined);
  const content = await connect(socket);
  content.on('error', () => undefined);
  return { file: `${vdi}.vmdk`, bytes: length ?? 0, capacity, transfer, content, done };
}
function machineOf(working: Working, vm: Ref<'VM'>): Omit<OvfMachine, 'disks'> {
  const { db } = working;
  const {
    name_label: name,
    name_description: description,
    VCPUs_max: vcpus,
    memory_static_max: memory,
    ...rest
  } = db.get('VM', vm);
  const nics = rest.VIFs.map((ref) => db.get('VIF', ref)).sort((a, b) => Number(a.device) - Number(b.device));
  return {
    ...{ name, description, vcpus, memory },
    firmware: rest.HVM_boot_params['firmware'] === 'uefi' ? 'uefi' : 'bios',
    cdDrives: drivesOf(working, vm).filter((d) => d.type === 'CD').length,
    nics: nics.map(({ network, MAC: mac }) => ({ network: db.get('network', network).name_label, mac })),
  };
}
