/** The steps of moving a guest into another domain: rows of the table in `atomics.ts`. */
import type { Call } from '../contracts/contract.ts';
import { type VmSpec, type Xenops, xenopsErrors } from '../contracts/xenops.ts';
import type { Atomic, Ground } from './atomics.ts';
import type { Backend } from './backend.ts';
import { placeOf } from './record.ts';

/** What moving needs of the domain manager. */
export interface MigrationGround {
  /** The side that takes guests, of the domain manager at an address or (null) of this one. */
  peer(to: string | null): Promise<Xenops['incoming']>;
  /** Durably notes that the guest is the receiver's. */
  give(vm: string): Promise<void>;
}
const atomic = <A>(row: Atomic<A>): Atomic<A> => row;
interface Attempt {
  readonly token: string;
  readonly to: string | null;
}
interface Names {
  readonly vm: string;
  /** What the domain is called while it does not have the VM's name. */
  readonly domain: string;
}
const toText = (a: Attempt): string => (a.to === null ? '' : ` to ${placeOf(a.to)}`);
/** Memory goes over a wire: as long as a save may take. */
const transferS = 1200;

export const migrationAtomics = {
  /** The receiver makes an empty domain. */
  'Incoming.prepare': atomic<Attempt & { readonly spec: VmSpec; readonly startedAt: number }>({
    weight: 1,
    deadlineS: 300,
    waits: true,
    text: toText,
    async run(g, { token, to, spec, startedAt }, call) {
      const about = await migrationOf(g.backend).describe(spec.id);
      await (await peer(g, { token, to })).prepare({ token, spec, startedAt, about }, signalOf(call));
    },
    undo: (g, a) => dropCopy(g, a, async () => undefined),
  }),
  /** The guest's memory goes over; it stands still on both sides afterwards. */
  'VM.send': atomic<Attempt & { readonly vm: string; readonly live: boolean }>({
    weight: 10,
    deadlineS: transferS,
    waits: true,
    text: (a) => `${toText(a)}${a.live ? ' live' : ''}`,
    run: send,
    undo: (g, a) => dropCopy(g, a, () => g.backend.vm.unpause(a.vm)),
  }),
  /** The domain makes room for another of the VM's name. */
  'VM.leaveName': atomic<Names>({
    weight: 1,
    deadlineS: 30,
    text: () => '',
    run: (g, a) => migrationOf(g.backend).rename(a.vm, a.domain),
    undo: (g, a) => migrationOf(g.backend).rename(a.domain, a.vm),
  }),
  /** No way back: from now on it is the receiver who says where the guest is. */
  'VM.give': atomic<{ readonly vm: string }>({
    weight: 1,
    deadlineS: 60,
    final: true,
    text: () => '',
    run: (g, a) => movingOf(g).give(a.vm),
  }),
  'Incoming.commit': atomic<Attempt>({
    weight: 1,
    deadlineS: 300,
    waits: true,
    text: toText,
    run: async (g, a) => (await peer(g, a)).commit({ token: a.token }),
  }),
  /** The end of the stream, into a domain that was created. */
  'VM.listen': atomic<{ readonly domain: string; readonly about: string }>({
    weight: 1,
    deadlineS: 60,
    text: () => '',
    run: (g, a) => migrationOf(g.backend).listen(a.domain, a.about),
  }),
  'VM.receive': atomic<{ readonly spec: VmSpec; readonly address: string }>({
    weight: 10,
    deadlineS: transferS,
    text: () => '',
    run: (g, a, call) => migrationOf(g.backend).receive(a.spec, a.address, call),
  }),
  'VM.takeName': atomic<Names>({
    weight: 1,
    deadlineS: 30,
    final: true,
    text: () => '',
    run: (g, a) => migrationOf(g.backend).rename(a.domain, a.vm),
  }),
};

/** Both ends at once; when one fails, the other is stopped. */
async function send(
  g: Ground,
  a: Attempt & { readonly vm: string; readonly live: boolean },
  call: Call,
): Promise<void> {
  const receiver = await peer(g, a);
  const { phase, address } = await receiver.stat({ token: a.token });
  if (phase === 'ready') return;
  if (phase !== 'receiving') throw failed(a.vm, `the receiver says that it is ${phase}`);
  const stop = new AbortController();
  const signal = call.signal ? AbortSignal.any([call.signal, stop.signal]) : stop.signal;
  const ends = [
    migrationOf(g.backend).send(a.vm, address, a.live, { ...call, signal }),
    receiver.receive({ token: a.token }, { signal }),
  ];
  let first: { readonly error: unknown } | undefined;
  await Promise.all(
    ends.map((end) =>
      end.catch((error: unknown) => {
        first ??= { error };
        stop.abort(failed(a.vm, error instanceof Error ? error.message : String(error)));
      }),
    ),
  );
  if (!first) return;
  // It leaves nothing behind.
  await dropCopy(g, a, async () => {
    const seen = await g.backend.vm.observe(a.vm);
    if (seen?.power === 'paused') await g.backend.vm.unpause(a.vm);
  });
  throw first.error;
}
/**
 * The guest goes on. On one host it shares devices with its copy, which goes first. Another host may not answer, and is not waited
 * for: its copy stands still until it is given the guest, and its host is told to drop it when the attempt is settled.
 */
async function dropCopy(g: Ground, a: Attempt, goOn: () => Promise<void>): Promise<void> {
  if (a.to === null) await (await peer(g, a)).abort({ token: a.token });
  await goOn();
}
const failed = (vm: string, reason: string) => xenopsErrors.make('Failed_to_migrate', { vm, reason });
const peer = (g: Ground, a: Attempt) => movingOf(g).peer(a.to);
const signalOf = (call: Call): Call => (call.signal ? { signal: call.signal } : {});

function movingOf(g: Ground): MigrationGround {
  if (!g.moving) throw new Error('this ground moves nothing');
  return g.moving;
}
export function migrationOf(backend: Backend): NonNullable<Backend['migration']> {
  if (!backend.migration) throw xenopsErrors.make('Unimplemented', { function: 'VM.migrate', backend: backend.name });
  return backend.migration;
}
