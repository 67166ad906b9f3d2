/**
 * What the machine of a VM remembers while it is off: UEFI's variables and the state of its TPM. The domain manager has that of VMs;
 * records hold that of snapshots and templates, and what was given to a VM: `NVRAM:EFI-variables`, and its VTPM's `contents`.
 */
import type { FirmwareState } from '../contracts/guest.ts';
import { nullRef, type Ref } from '../datamodel/dsl.ts';
import type { Db, Writer } from '../db/db.ts';
import { ask } from './ask.ts';
import type { Working } from './context.ts';

const efiKey = 'EFI-variables';

const isRegistered = (ctx: Working, ref: Ref<'VM'>): boolean => {
  const { is_a_template, is_control_domain } = ctx.db.get('VM', ref);
  return !is_a_template && !is_control_domain;
};
/** As it is now; of a VM that runs, too. */
export async function firmwareOf(ctx: Working, ref: Ref<'VM'>): Promise<FirmwareState> {
  if (!isRegistered(ctx, ref)) return recordedFirmware(ctx, ref);
  const { uuid } = ctx.db.get('VM', ref);
  return ask(ctx, () => ctx.xenops.vm.firmware({ id: uuid }));
}
/** What its records say. */
export function recordedFirmware(ctx: Working, ref: Ref<'VM'>): FirmwareState {
  const { NVRAM, VTPMs } = ctx.db.get('VM', ref);
  const [vtpm] = VTPMs;
  const secret = vtpm && ctx.db.find('secret', ctx.db.get('VTPM', vtpm).contents);
  return { efi: NVRAM[efiKey] ?? null, tpm: secret?.value || null };
}
/** Makes the machine of a VM that is off remember this; the records of a template or snapshot. */
export async function giveFirmware(ctx: Working, ref: Ref<'VM'>, state: FirmwareState): Promise<void> {
  if (!isRegistered(ctx, ref)) {
    ctx.db.write((w) => record(ctx, w, ref, state));
    return;
  }
  const { uuid, VTPMs } = ctx.db.get('VM', ref);
  const tpm = VTPMs.length > 0 ? state.tpm : null;
  await ask(ctx, (call) => ctx.xenops.vm.setFirmware({ id: uuid, efi: state.efi, tpm }, call));
}
function record(ctx: Working, w: Writer, ref: Ref<'VM'>, { efi, tpm }: FirmwareState): void {
  const { NVRAM, VTPMs } = ctx.db.get('VM', ref);
  const { [efiKey]: _, ...others } = NVRAM;
  w.set('VM', ref, { NVRAM: efi === null ? others : { ...others, [efiKey]: efi } });
  for (const vtpm of VTPMs) setContents(ctx, w, vtpm, tpm ?? '');
}
/** The text that a VTPM's record holds. */
export function setContents(ctx: Working, w: Writer, vtpm: Ref<'VTPM'>, value: string): void {
  const { contents } = ctx.db.get('VTPM', vtpm);
  if (ctx.db.has('secret', contents)) w.set('secret', contents, { value });
  else w.set('VTPM', vtpm, { contents: w.create('secret', { value }) });
}
/** Gives `to` as many TPMs as `from` has; those that it has more go. */
export function copyTpms(ctx: Working, w: Writer, from: Ref<'VM'>, to: Ref<'VM'>): void {
  const wanted = ctx.db.get('VM', from).VTPMs;
  const there = ctx.db.get('VM', to).VTPMs;
  for (const extra of there.slice(wanted.length)) removeTpm(ctx.db, w, extra);
  for (const each of wanted.slice(there.length)) {
    const { is_unique, is_protected, persistence_backend } = ctx.db.get('VTPM', each);
    w.create('VTPM', { VM: to, is_unique, is_protected, persistence_backend, contents: nullRef });
  }
}
export function removeTpm(db: Db, w: Writer, vtpm: Ref<'VTPM'>): void {
  const { contents } = db.get('VTPM', vtpm);
  if (db.has('secret', contents)) w.destroy('secret', contents);
  w.destroy('VTPM', vtpm);
}
/** The state that a copy of a VM begins with: contents of a TPM that must be the only ones are not copied but into a snapshot. */
export async function firmwareForCopy(ctx: Working, from: Ref<'VM'>, isSnapshot: boolean): Promise<FirmwareState> {
  const state = await firmwareOf(ctx, from);
  const unique = ctx.db.get('VM', from).VTPMs.some((r) => ctx.db.get('VTPM', r).is_unique);
  return unique && !isSnapshot ? { ...state, tpm: null } : state;
}
export const isNothing = ({ efi, tpm }: FirmwareState): boolean => efi === null && tpm === null;

/** Of a VM that came with its records from elsewhere and has not run here: its machine is told what they hold. */
export async function giveRecorded(ctx: Working, ref: Ref<'VM'>): Promise<void> {
  const recorded = recordedFirmware(ctx, ref);
  if (isNothing(recorded)) return;
  const { efi, tpm } = await firmwareOf(ctx, ref);
  const wanted = { efi: efi ?? recorded.efi, tpm: tpm ?? recorded.tpm };
  if (wanted.efi !== efi || wanted.tpm !== tpm) await giveFirmware(ctx, ref, wanted);
}
/** Before a VM leaves with its records: its variables are in them. A TPM's contents are secret, and stay. */
export async function noteVariables(ctx: Working, ref: Ref<'VM'>): Promise<void> {
  if (!isRegistered(ctx, ref)) return;
  const { efi } = await firmwareOf(ctx, ref);
  const { NVRAM } = ctx.db.get('VM', ref);
  if (efi !== null && NVRAM[efiKey] !== efi) ctx.db.set('VM', ref, { NVRAM: { ...NVRAM, [efiKey]: efi } });
}
