/** What uploads and downloads of disks share: which disk, in which format, through which socket. */
import { storageErrors } from '../../contracts/storage.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { House, TaskHandle } from '../context.ts';
import { HttpError } from '../routes.ts';
import { translateError } from '../translate/errors.ts';

export type Format = 'raw' | 'qcow2' | 'vhd' | 'vmdk';
export const contentTypes: Readonly<Record<Format, string>> = {
  raw: 'application/octet-stream',
  qcow2: 'application/x-qemu-disk',
  vhd: 'application/vhd',
  vmdk: 'application/x-vmdk',
};
export interface Target {
  readonly ref: Ref<'VDI'>;
  readonly vdi: Rec<'VDI'>;
  readonly sr: Rec<'SR'>;
}

/** The disk that a parameter names, by reference or UUID, when it can be used. */
export function targetOf({ db }: House, name: string): Target {
  const ref = (db.has('VDI', name) ? name : db.byUuid('VDI', name)) as Ref<'VDI'>;
  const vdi = db.get('VDI', ref);
  if (!vdi.managed) throw fail('VDI_NOT_MANAGED', { vdi: ref });
  if (vdi.type === 'cbt_metadata') throw fail('VDI_INCOMPATIBLE_TYPE', { vdi: ref, type: vdi.type });
  if (vdi.missing) throw fail('VDI_MISSING', { sr: vdi.SR, vdi: ref });
  const sr = db.get('SR', vdi.SR);
  if (!sr.PBDs.some((p) => db.get('PBD', p).currently_attached)) throw fail('SR_NOT_ATTACHED', { sr: vdi.SR });
  return { ref, vdi, sr };
}
export function formatOf(url: URL): Format {
  const format = url.searchParams.get('format') ?? 'raw';
  if (Object.hasOwn(contentTypes, format)) return format as Format;
  throw new HttpError(404, `there is no format ${format}; there are ${Object.keys(contentTypes).join(', ')}`);
}
export const isTrue = (url: URL, name: string): boolean =>
  url.searchParams.has(name) && !['false', '0'].includes(url.searchParams.get(name) ?? '');

/** A cancelled transfer fails wherever it is just then; what counts is that it was cancelled. */
export const worded = ({ db }: House, task: TaskHandle, error: unknown) =>
  translateError(db, task.signal.aborted ? storageErrors.make('Cancelled') : error, task.ref);

/** Ends a transfer and waits until the disk is free again. Answers what is kept of it. */
export async function cancel(
  { storage }: House,
  { transfer, done, keep = false }: { transfer: string; done: Promise<unknown>; keep?: boolean },
): Promise<number> {
  const { kept } = await storage.transfer.cancel({ transfer, keep });
  await Promise.allSettled([done]);
  return kept;
}
