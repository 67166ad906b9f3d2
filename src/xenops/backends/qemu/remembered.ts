/**
 * What a VM's machine remembers while it is off, as text: OVMF's variables (packed: they are nearly empty) and swtpm's state, each
 * after the name of its form.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import type { FirmwareState } from '../../../contracts/guest.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';

const forms = { efi: 'ovmf:', tpm: 'swtpm2:' } as const;
/** Bytes of a variable store, and of a TPM's state. */
const largest = { efi: 4 << 20, tpm: 1 << 20 } as const;
/** A firmware volume says so here; swtpm's state has no such sign. */
const volumeSign = { at: 40, text: '_FVH' };

export interface Remembered {
  readonly efi: Buffer | null;
  readonly tpm: Buffer | null;
}
export function asText({ efi, tpm }: Remembered): FirmwareState {
  const text = (form: string, data: Buffer | null) => (data === null ? null : form + gzipSync(data).toString('base64'));
  return { efi: text(forms.efi, efi), tpm: text(forms.tpm, tpm) };
}
/** Bad_spec. */
export function fromText(state: FirmwareState): Remembered {
  const efi = unpack('efi', state.efi);
  if (efi && efi.toString('latin1', volumeSign.at, volumeSign.at + 4) !== volumeSign.text)
    throw bad('efi', 'it holds no variables of OVMF');
  return { efi, tpm: unpack('tpm', state.tpm) };
}
function unpack(key: 'efi' | 'tpm', text: string | null): Buffer | null {
  if (text === null) return null;
  const form = forms[key];
  if (!text.startsWith(form)) throw bad(key, `it does not begin with "${form}", as what this ground remembers does`);
  try {
    return gunzipSync(Buffer.from(text.slice(form.length), 'base64'), { maxOutputLength: largest[key] });
  } catch (cause) {
    throw bad(key, `it cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}
const bad = (key: string, reason: string, cause?: unknown) =>
  xenopsErrors.make('Bad_spec', { key: `firmware.${key}`, reason }, { cause });
