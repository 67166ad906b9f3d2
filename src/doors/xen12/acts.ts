/** What the commands and the library both do with a domain. */
import { isKind } from '../../contracts/contract.ts';
import type { VifSpec, VmEntry, VmSpec, Xenops } from '../../contracts/xenops.ts';

/** Asks the guest to shut down; that it takes its time is not waited for. */
export async function askToEnd(xenops: Xenops, id: string): Promise<void> {
  try {
    await xenops.vm.shutdown({ id, timeoutS: 1 });
  } catch (error) {
    if (!isKind(error, 'Failed_to_shutdown')) throw error;
  }
}
/** Writes the domain's state to a new file, and ends it. Throws a sentence when the file is there. */
export async function saveTo(
  o: { readonly xenops: Xenops; readonly exists: (path: string) => boolean },
  id: string,
  file: string,
): Promise<void> {
  if (!file.startsWith('/')) throw new Error(`${file}: the path of the state file must be absolute`);
  if (o.exists(file)) throw new Error(`${file} exists already; it is not overwritten`);
  await o.xenops.vm.suspend({ id, image: { kind: 'path', path: file, format: 'raw' } });
}
/** The VM of a saved state is there still, suspended. Throws a sentence when none is. */
export async function savedTo(xenops: Xenops, file: string): Promise<VmEntry> {
  const all = await xenops.vm.list({});
  const found = all.find(({ state }) => state.suspendImage?.kind === 'path' && state.suspendImage.path === file);
  if (!found) throw new Error(`no domain was saved to ${file} on this host`);
  return found;
}
/** The VM that was made here before under this name and has ended: it is used again. */
export async function endedBefore(xenops: Xenops, name: string, note: string): Promise<string | undefined> {
  const all = await xenops.vm.list({});
  const found = all.find(
    (vm) => vm.state.power === 'Halted' && vm.spec.name === name && vm.spec.notes?.[note] !== undefined,
  );
  return found?.spec.id;
}
/** From the next start on; undefined: on any processor. */
export async function pin(xenops: Xenops, { id, platform }: VmSpec, cpu: number | undefined): Promise<void> {
  const { mask: _, ...others } = platform;
  await xenops.vm.update({ id, platform: cpu === undefined ? others : { ...others, mask: String(cpu) } });
}
/** So many bytes in so many microseconds; 0 microseconds: no limit. */
export async function setCredit(
  xenops: Xenops,
  spec: VmSpec,
  a: { readonly vif: number; readonly bytes: number; readonly usecs: number },
): Promise<void> {
  const rateKib = a.usecs === 0 ? 0 : Math.max(1, Math.round((a.bytes / 1024) * (1e6 / a.usecs)));
  await xenops.vif.add({ vm: spec.id, vif: { ...interfaceOf(spec, a.vif), rateKib } });
}
export function creditOf(spec: VmSpec, vif: number): { credit_bytes: number; credit_usecs: number } {
  const { rateKib = 0 } = interfaceOf(spec, vif);
  return { credit_bytes: rateKib * 1024, credit_usecs: rateKib === 0 ? 0 : 1_000_000 };
}
export async function trafficOf(xenops: Xenops, spec: VmSpec, vif: number) {
  const { rxBytes, rxPackets, txBytes, txPackets } = await xenops.vif.counters({
    vm: spec.id,
    id: interfaceOf(spec, vif).id,
  });
  return { tx_bytes: txBytes, tx_packets: txPackets, rx_bytes: rxBytes, rx_packets: rxPackets };
}
function interfaceOf(spec: VmSpec, vif: number): VifSpec {
  const found = spec.vifs[vif];
  if (!found) throw new Error(`the domain has no interface ${vif}`);
  return found;
}
/** The first number that no drive of the VM has. */
export function freePosition({ vbds }: VmSpec): number {
  const taken = new Set(vbds.map((v) => v.position));
  let position = 0;
  while (taken.has(position)) position++;
  return position;
}
