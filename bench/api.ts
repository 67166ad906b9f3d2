/**
 * The API server beside bare Node servers in the same process: rate of get_record, throughput of get_all_records, latency of
 * events, and what a hundred waiters cost. `bin/node bench/api.ts [VMs]`; `VMS` and `ROUNDS` change how much.
 */
import { fork } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { xmlCall } from '../src/wire/xmlrpc.ts';

const vms = process.argv[2] ?? process.env['VMS'] ?? '10000';
const rounds = Number(process.env['ROUNDS'] ?? 5);

// ---- the serving side ---------------------------------------------------
const child = fork(join(import.meta.dirname, 'api-child.ts'), [vms]);
const pending = new Map<number, (answer: unknown) => void>();
let serial = 0;
child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
  pending.get(id)?.(answer);
  pending.delete(id);
});
interface Served {
  readonly port: number;
  readonly barePort: number;
  readonly session: string;
  readonly vm: string;
}
const served = await new Promise<Served>((resolve) => pending.set(0, (a) => resolve(a as Served)));
const ask = <T>(name: string, arg = ''): Promise<T> =>
  new Promise((resolve) => {
    const id = ++serial;
    pending.set(id, (a) => resolve(a as T));
    child.send({ id, name, arg });
  });

// ---- the asking side: as little work per answer as can be ------------------
const open = (port: number): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.setNoDelay(true);
  });
const request = (path: string, body: string): Buffer =>
  Buffer.from(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
interface Got {
  /** Bytes of the body. */
  readonly length: number;
  readonly text: string;
  /** When its last byte came. */
  readonly at: bigint;
}
/** Sends one request and waits for its answer. The text is kept when it is small. */
function exchange(socket: Socket, bytes: Buffer): Promise<Got> {
  return new Promise((resolve) => {
    let head = '';
    let missing = -1;
    let length = 0;
    const parts: Buffer[] = [];
    const more = (chunk: Buffer) => {
      let part = chunk;
      if (missing < 0) {
        head += part.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
        missing = length;
        part = Buffer.from(head.slice(end + 4), 'latin1');
      }
      missing -= part.length;
      if (length < 1_000_000) parts.push(part);
      if (missing > 0) return;
      socket.off('data', more);
      resolve({ length, text: Buffer.concat(parts).toString('latin1'), at: process.hrtime.bigint() });
    };
    socket.on('data', more);
    socket.write(bytes);
  });
}
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
const rows: [string, string, string, string][] = [];
const report = (what: string, peer: string, ours: string, ratio: string) => rows.push([what, peer, ours, ratio]);

/** Answers per second over some connections, each with one request under way. */
async function rate(port: number, bytes: Buffer, ms: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: 16 }, () => open(port)));
  const end = performance.now() + ms;
  let count = 0;
  const started = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      while (performance.now() < end) {
        await exchange(socket, bytes);
        count++;
      }
      socket.destroy();
    }),
  );
  return (count * 1000) / (performance.now() - started);
}
async function getRecord(): Promise<void> {
  const call = request('/', xmlCall('VM.get_record', [served.session, served.vm]));
  const socket = await open(served.port);
  await ask('bytes', (await exchange(socket, call)).text);
  socket.destroy();
  const peer: number[] = [];
  const ours: number[] = [];
  for (let i = 0; i < rounds; i++) {
    peer.push(await rate(served.barePort, call, 700));
    ours.push(await rate(served.port, call, 700));
  }
  const [p, o] = [median(peer), median(ours)];
  report('VM.get_record, 1/s', p.toFixed(0), o.toFixed(0), `${((100 * o) / p).toFixed(0)} % (≥ 40 %)`);
}

/** Bytes per second of the whole answer, body and all. */
async function throughput(socket: Socket, bytes: Buffer): Promise<number> {
  const started = performance.now();
  const { length } = await exchange(socket, bytes);
  return (length * 1000) / (performance.now() - started);
}
async function getAllRecords(): Promise<void> {
  const xml = request('/', xmlCall('VM.get_all_records', [served.session]));
  const json = request('/jsonrpc', JSON.stringify({ id: 1, method: 'VM.get_all_records', params: [served.session] }));
  const socket = await open(served.port);
  const first = await throughput(socket, xml);
  await throughput(socket, json);
  const peer: number[] = [];
  const oursXml: number[] = [];
  const oursJson: number[] = [];
  for (let i = 0; i < rounds; i++) {
    peer.push(await ask<number>('stringify'));
    oursXml.push(await throughput(socket, xml));
    oursJson.push(await throughput(socket, json));
  }
  socket.destroy();
  const mb = (n: number) => (n / 1e6).toFixed(0);
  report(`get_all_records, ${vms} VMs, XML-RPC, MB/s`, '', mb(median(oursXml)), `(≥ 80; first call ${mb(first)})`);
  const percent = ((100 * median(oursJson)) / median(peer)).toFixed(0);
  report('… JSON-RPC; JSON.stringify', mb(median(peer)), mb(median(oursJson)), `${percent} % (≥ 40 %)`);
}

const wait = (token: string): Buffer =>
  request('/', xmlCall('event.from', [served.session, ['vm'], `${token},${token}`, 60.5]));
const until = async (name: string, count: number): Promise<void> => {
  while ((await ask<number>(name)) !== count) await new Promise((resolve) => setTimeout(resolve, 1));
};
async function latency(): Promise<void> {
  const socket = await open(served.port);
  const taken: number[] = [];
  for (let i = 0; i < 200; i++) {
    const answer = exchange(socket, wait(await ask<string>('token')));
    await until('waiting', 1);
    const committed = BigInt(await ask<string>('change'));
    taken.push(Number((await answer).at - committed) / 1e6);
  }
  socket.destroy();
  report('event: commit → one waiter, ms, median', '', median(taken).toFixed(2), '(≤ 2)');
}
async function hundred(): Promise<void> {
  const count = 100;
  const ours = await Promise.all(Array.from({ length: count }, () => open(served.port)));
  const bare = await Promise.all(Array.from({ length: count }, () => open(served.barePort)));
  const taken = { ours: [] as number[], bare: [] as number[] };
  for (let i = 0; i < 30; i++) {
    const call = wait(await ask<string>('token'));
    const answers = ours.map((s) => exchange(s, call));
    await until('waiting', count);
    const committed = BigInt(await ask<string>('change'));
    const got = await Promise.all(answers);
    taken.ours.push(
      Number(
        (got
          .map((g) => g.at)
          .sort()
          .at(-1) ?? 0n) - committed,
      ) / 1e6,
    );
    await ask('bytes', got[0]?.text);
    const others = bare.map((s) => exchange(s, request('/wait', 'x')));
    await until('bareWaiting', count);
    const released = BigInt(await ask<string>('release'));
    const theirs = await Promise.all(others);
    taken.bare.push(
      Number(
        (theirs
          .map((g) => g.at)
          .sort()
          .at(-1) ?? 0n) - released,
      ) / 1e6,
    );
  }
  for (const s of [...ours, ...bare]) s.destroy();
  const [p, o] = [median(taken.bare), median(taken.ours)];
  report('event: all of 100 waiters, ms; bare long poll', p.toFixed(1), o.toFixed(1), `${(o / p).toFixed(2)} (≤ 1.5)`);
}

await getRecord();
await getAllRecords();
await latency();
await hundred();
child.send({ id: 0, name: 'stop', arg: '' });
const width = Math.max(...rows.map((r) => r[0].length));
console.log(`${'what'.padEnd(width)}  ${'peer'.padStart(8)}  ${'ours'.padStart(8)}  ratio`);
for (const [what, peer, ours, ratio] of rows)
  console.log(`${what.padEnd(width)}  ${peer.padStart(8)}  ${ours.padStart(8)}  ${ratio}`);
