/** Whether a child has come up, by what its description says that tells. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { ProcessSpec } from '../contracts/processes.ts';

type Ready = NonNullable<ProcessSpec['ready']>;
type Probe<K extends Ready['kind']> = (
  ready: Extract<Ready, { kind: K }>,
  log: string,
  from: number,
) => Promise<boolean>;

const checkMs = 25;
/** A text is looked for in this much of what a run has printed first. */
const mostPrinted = 1024 * 1024;

const probes: { readonly [K in Ready['kind']]: Probe<K> } = {
  running: async () => true,
  said: async () => false,
  socket: ({ path }) => answers(path),
  line: async ({ text }, log, from) => readLog(log, from, mostPrinted).includes(text),
};

/** Calls `up` once the child is up, unless the answer was called before. `from`: bytes of its log before this run. */
export function awaitReadiness(spec: ProcessSpec, from: number, clock: Clock, up: () => void): () => void {
  const ready = spec.ready ?? { kind: 'running' };
  const probe = probes[ready.kind] as Probe<Ready['kind']>;
  let over = false;
  let cancel = () => undefined as unknown;
  const look = async (): Promise<void> => {
    const found = await probe(ready as never, spec.log, from).catch(() => false);
    if (over) return;
    if (found) up();
    else cancel = clock.after(checkMs, () => void look());
  };
  if (ready.kind !== 'said') void look();
  return () => {
    over = true;
    cancel();
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** What the log holds from there on, or from its beginning when it was put aside; empty when there is none. */
export function readLog(path: string, from: number, most: number, last = false): string {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(fd);
    const begin = from <= size ? from : 0;
    const length = Math.min(size - begin, most);
    const bytes = Buffer.alloc(length);
    const read = readSync(fd, bytes, 0, length, last ? size - length : begin);
    return bytes.subarray(0, read).toString('utf8');
  } finally {
    closeSync(fd);
  }
}

/** The last lines that a run has printed, for a person who asks why it ended. */
export function lastWords(path: string, from: number, lines = 5): string {
  const text = readLog(path, from, 4096, true);
  return text.trim().split('\n').slice(-lines).join('\n');
}
