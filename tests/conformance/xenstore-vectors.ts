/**
 * Plays the protocol's conformance vectors against a store. A vector names connections: `S1`, `S2` have domain 0's rights, `D<n>` is the ring of
 * domain n. A bed says how such connections are made and how everything that was sent is known to be answered.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePacket, op, type Packet, PacketReader, putU32, u32 } from '../../src/wire/xenstore.ts';

export interface Vector {
  readonly id: string;
  readonly title: string;
  readonly domains: readonly number[];
  readonly steps: readonly Step[];
}
interface Step {
  readonly kind?: 'quota_probe' | 'domain_state' | 'ring_poke' | 'ring_reset';
  readonly conn?: string;
  readonly send?: string;
  readonly write_chunk_bytes?: number;
  readonly replies?: readonly string[];
  readonly allowed_alternatives?: readonly { readonly replies: readonly string[] }[];
  readonly reply_payload_regex?: string;
  readonly payload_is_unordered_set?: boolean;
  readonly events?: Readonly<Record<string, readonly string[]>>;
  readonly events_optional?: boolean;
  readonly connection_closed?: boolean;
  readonly sends?: readonly string[];
  readonly success_count_range?: readonly [number, number];
  readonly error_names?: readonly string[];
  readonly domid?: number;
  readonly state?: 'dying' | 'shutdown';
  readonly capture?: Readonly<Record<string, string>>;
}

/** One connection of a bed. */
export interface Peer {
  send(bytes: Buffer): void;
  /** Everything that arrived since it was last asked. */
  taken(): Buffer;
  readonly closed: boolean;
}
export interface Bed {
  /** A connection with domain 0's rights. */
  socket(): Promise<Peer>;
  /** The ring of an introduced domain; undefined when this bed has none. */
  ring?(domid: number): Peer;
  /** Waits until everything that was sent has been answered and delivered. */
  settled(): Promise<void>;
  domainState?(domid: number, state: 'dying' | 'shutdown'): void;
  /** Breaks a ring as wrong indices do. */
  breakRing?(domid: number): void;
  close(): Promise<void>;
}

export const vectors = (
  JSON.parse(readFileSync(join(import.meta.dirname, 'xenstore', 'vectors.json'), 'utf8')) as { vectors: Vector[] }
).vectors;

/** Whether a vector needs rings. */
export const needsRings = (vector: Vector): boolean =>
  vector.domains.length > 0 ||
  vector.steps.some((s) => s.conn?.startsWith('D') || s.kind === 'domain_state' || s.kind?.startsWith('ring'));

interface Seen {
  readonly peer: Peer;
  readonly reader: PacketReader;
  replies: Buffer[];
  events: string[];
}

/** Throws an assertion when the store answers otherwise. */
export async function play(vector: Vector, bed: Bed): Promise<void> {
  const peers = new Map<string, Seen>();
  const peer = async (name: string): Promise<Seen> => {
    const known = peers.get(name);
    if (known) return known;
    const made = name.startsWith('S') ? await bed.socket() : bed.ring?.(Number(name.slice(1)));
    assert.ok(made, `no connection ${name}`);
    const seen: Seen = { peer: made, reader: new PacketReader(), replies: [], events: [] };
    peers.set(name, seen);
    return seen;
  };
  const collect = async () => {
    await bed.settled();
    for (const seen of peers.values()) {
      for (const packet of seen.reader.push(seen.peer.taken())) {
        const bytes = bytesOf(packet);
        if (packet.type === op.watchEvent) seen.events.push(bytes.toString('hex'));
        else seen.replies.push(bytes);
      }
    }
  };
  await preamble(await peer('S1'), vector.domains);
  await collect();
  for (const seen of peers.values()) seen.replies = [];
  for (const domid of vector.domains) await peer(`D${domid}`);

  const transactions = new Map<string, { vector: number; real: number }>();
  for (const [index, step] of vector.steps.entries()) {
    const where = `${vector.id}, step ${index}`;
    if (step.kind === 'quota_probe') {
      await probe(await peer(step.conn ?? ''), step, collect, where);
      for (const seen of peers.values()) seen.events = [];
      continue;
    }
    if (step.kind === 'domain_state') bed.domainState?.(step.domid ?? 0, step.state ?? 'dying');
    else if (step.kind === 'ring_poke') bed.breakRing?.(step.domid ?? 0);
    else if (step.kind === 'ring_reset') peers.delete(`D${step.domid}`);
    if (step.kind === undefined) {
      const seen = await peer(step.conn ?? '');
      const patch = transactions.get(step.conn ?? '');
      write(seen.peer, patched(Buffer.from(step.send ?? '', 'hex'), patch), step.write_chunk_bytes);
      await collect();
      if (step.connection_closed) assert.ok(seen.peer.closed, `${where}: still open`);
      checkReplies(step, seen.replies, patch, where);
      if (step.capture) transactions.set(step.conn ?? '', { vector: 1, real: Number(text(seen.replies[0])) });
      seen.replies = [];
    }
    await collect();
    for (const [name, seen] of peers) {
      const expected = [...(step.events?.[name] ?? [])].sort();
      const got = seen.events.sort();
      seen.events = [];
      if (!(step.events_optional && got.length === 0)) assert.deepEqual(got, expected, `${where}: events of ${name}`);
    }
  }
}

const bytesOf = (p: Packet): Buffer => encodePacket(p.type, p.requestId, p.transactionId, p.payload);
const text = (frame: Buffer | undefined): string => frame?.subarray(16).toString('latin1').replace(/\0$/, '') ?? '';

async function preamble(seen: Seen, domains: readonly number[]): Promise<void> {
  for (const n of domains) {
    seen.peer.send(encodePacket(op.introduce, 1, 0, `${n}\0${1000 + n}\x0010\0`));
    seen.peer.send(encodePacket(op.mkdir, 2, 0, `/local/domain/${n}\0`));
    seen.peer.send(encodePacket(op.setPerms, 3, 0, `/local/domain/${n}\0n${n}\0`));
  }
}

function write(peer: Peer, bytes: Buffer, chunk = bytes.length): void {
  for (let at = 0; at < bytes.length; at += chunk) peer.send(bytes.subarray(at, at + chunk));
}

/** The frame with the transaction's real id in place of the vector's. */
function patched(frame: Buffer, patch: { vector: number; real: number } | undefined): Buffer {
  if (patch === undefined || u32(frame, 8) !== patch.vector) return frame;
  const copy = Buffer.from(frame);
  putU32(copy, 8, patch.real);
  return copy;
}

function checkReplies(
  step: Step,
  got: readonly Buffer[],
  patch: { vector: number; real: number } | undefined,
  where: string,
): void {
  if (step.reply_payload_regex !== undefined) {
    assert.equal(got.length, 1, where);
    assert.match(got[0]?.subarray(16).toString('latin1') ?? '', new RegExp(step.reply_payload_regex), where);
    return;
  }
  const real = got.map((each) => each.toString('hex'));
  const allowed = [step.replies ?? [], ...(step.allowed_alternatives ?? []).map((a) => a.replies)].map((replies) =>
    replies.map((each) => patched(Buffer.from(each, 'hex'), patch).toString('hex')),
  );
  if (step.payload_is_unordered_set) {
    const sorted = (hex: string) => hex.slice(0, 32) + text(Buffer.from(hex, 'hex')).split('\0').sort().join();
    assert.deepEqual(real.map(sorted), allowed[0]?.map(sorted), where);
    return;
  }
  if (allowed.some((each) => each.join() === real.join())) return;
  assert.deepEqual(
    got.map(readable),
    (allowed[0] ?? []).map((each) => readable(Buffer.from(each, 'hex'))),
    where,
  );
}

const readable = (frame: Buffer) =>
  `${u32(frame, 0)} #${u32(frame, 4)} tx${u32(frame, 8)} ${JSON.stringify(text(frame))}`;

async function probe(seen: Seen, step: Step, collect: () => Promise<void>, where: string): Promise<void> {
  const outcomes: string[] = [];
  for (const frame of step.sends ?? []) {
    seen.peer.send(Buffer.from(frame, 'hex'));
    await collect();
    const reply = seen.replies.shift();
    assert.ok(reply, `${where}: no reply`);
    outcomes.push(u32(reply, 0) === op.error ? text(reply) : '');
  }
  const granted = outcomes.findIndex((each) => each !== '');
  const [least, most] = step.success_count_range ?? [0, 0];
  assert.ok(granted >= least && granted <= most, `${where}: ${granted} granted`);
  for (const each of outcomes.slice(granted))
    assert.ok(step.error_names?.includes(each), `${where}: ${each || 'granted'}`);
}
