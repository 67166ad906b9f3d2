/** A store in process with dom0 and guests, for what guests do to it. */
import assert from 'node:assert/strict';
import { encodePacket, op, PacketReader } from '../../src/wire/xenstore.ts';
import type { CoreOptions } from '../../src/xenstore/core.ts';
import { nodesOf } from '../../src/xenstore/tree.ts';
import { type MemoryBed, type MemoryLine, memoryBed } from '../conformance/xenstore-beds.ts';

export const frames = (line: MemoryLine) => new PacketReader().push(line.taken());
export const texts = (line: MemoryLine) =>
  frames(line).map((p) => `${p.type} ${p.payload.toString('latin1').replaceAll('\0', '|')}`);

/** Counts of all domains are what the tree holds, and nothing else is charged when nobody holds anything. */
export function checkCounts(bed: MemoryBed): void {
  const counts = new Map<unknown, number>();
  for (const [, node] of nodesOf(bed.core.edits.tree.root)) {
    const { owner } = node.permissions;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const domain of bed.core.domains.all())
    assert.equal(domain.usage.nodes, counts.get(domain) ?? 0, `nodes of ${domain.domid}`);
}

export async function world(domids: readonly number[] = [1, 2], options: Partial<CoreOptions> = {}) {
  const bed = memoryBed(options);
  const zero = await bed.socket();
  /** Sends a request and answers the last reply: `<type> <payload>`. */
  const ask = async (line: MemoryLine, type: number, payload: string, tx = 0) => {
    line.send(encodePacket(type, 1, tx, payload));
    await bed.settled();
    return (
      texts(line)
        .filter((text) => !text.startsWith('15 '))
        .at(-1) ?? 'nothing'
    );
  };
  const guest = async (domid: number) => {
    const line = bed.introduce(domid);
    await ask(zero, op.mkdir, `/local/domain/${domid}\0`);
    await ask(zero, op.setPerms, `/local/domain/${domid}\0n${domid}\0`);
    return line;
  };
  const guests: MemoryLine[] = [];
  for (const domid of domids) guests.push(await guest(domid));
  const [one, two] = guests as [MemoryLine, MemoryLine];
  const domain = (domid: number) => bed.core.domains.find(domid)!;
  return { bed, core: bed.core, zero, one, two, ask, guest, domain };
}
export const tx = (reply: string) => Number(/^6 (\d+)/.exec(reply)?.[1]);
