/**
 * 1,000 VMs under one xenopsd on the simulator: how long `VM.list` takes over its socket, and how much memory a VM costs.
 * `bin/node bench/xenopsd.ts [VMS]`. Limits: 20 ms, 200 KiB.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomIds } from '../src/base/ids.ts';
import { metadataOf, metadataText } from '../src/doors/xenops-cli/from-xl.ts';
import { readXl } from '../src/wire/xl-config.ts';

const vms = Number(process.argv[2] ?? 1000);
const folder = mkdtempSync(join(tmpdir(), 'ghb-'));
const socketPath = join(folder, 'xenopsd');
const agent = new Agent({ keepAlive: true, maxSockets: 8 });
const config = join(folder, 'conf');
const queue = 'org.xen.xapi.xenops.simulator';
writeFileSync(config, `queue = ${queue}\nsockets-path = ${folder}\ndatabase-path = ${folder}/db\nlog = nil\n`);
const daemon = spawn(join(import.meta.dirname, '../bin/xenopsd'), ['-config', config], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  await new Promise((resolve) => daemon.stdout.once('data', resolve));
  const before = await rss();
  const added = await timed(async () => {
    for (let i = 0; i < vms; i += 8) await Promise.all([...Array(Math.min(8, vms - i)).keys()].map((n) => add(i + n)));
  });
  const halted = await rss();
  const lists: number[] = [];
  for (let i = 0; i < 60; i++) lists.push(await timed(() => post('VM.list', {})));
  lists.sort((a, b) => a - b);
  const started = await timed(async () => {
    const ids = ((await post('VM.list', {})) as [{ id: string }, unknown][]).map(([vm]) => vm.id);
    await Promise.all(ids.map(start));
  });
  const running = await rss();
  const at = (q: number) => (lists[Math.floor(q * (lists.length - 1))] ?? 0).toFixed(1);
  const kib = (bytes: number) => (bytes / 1024 / vms).toFixed(1);
  console.log(`add      ${(added / vms).toFixed(2)} ms a VM`);
  console.log(`VM.list  p50 ${at(0.5)} ms, p95 ${at(0.95)} ms for ${vms} VMs (limit 20 ms)`);
  console.log(`start    ${(started / vms).toFixed(2)} ms a VM`);
  console.log(
    `memory   ${kib(halted - before)} KiB a halted VM, ${kib(running - before)} KiB a running one (limit 200 KiB)`,
  );
} finally {
  const gone = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill();
  await gone;
  agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}

function add(i: number): Promise<unknown> {
  const mac = (i + 1).toString(16).padStart(6, '0').match(/../g)?.join(':');
  const text = `name='vm${i}'\ndisk=['phy:/dev/loop${i},xvda,w',',xvdb:cdrom,r']\nvif=['mac=00:16:3e:${mac},bridge=xenbr0']\n`;
  return post('VM.import_metadata', { metadata: metadataText(metadataOf(readXl('bench', text), randomIds, 0)) });
}
async function start(id: string): Promise<void> {
  const task = await post('VM.start', { id, paused: false });
  let last = 0;
  for (;;) {
    const { state } = (await post('Task.stat', { id: task })) as { state: [string, unknown] };
    if (state[0] === 'Failed') throw new Error(JSON.stringify(state));
    if (state[0] === 'Completed') break;
    [, , last] = (await post('UPDATES.get', { last_id: last, timeout: 30 })) as [unknown, unknown, number];
  }
  await post('Task.destroy', { id: task });
}
async function timed(f: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await f();
  return performance.now() - from;
}
/** Bytes, once it has stopped falling. */
async function rss(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 10; i++) {
    const status = readFileSync(`/proc/${daemon.pid}/status`, 'utf8');
    least = Math.min(least, 1024 * Number(/VmRSS:\s+([0-9]+)/.exec(status)?.[1] ?? 0));
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return least;
}
function post(method: string, params: object): Promise<unknown> {
  const text = JSON.stringify({ method, params: [{ debug_info: 'bench', ...params }], id: 1 });
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, agent, method: 'POST', path: '/' }, (res) => {
      const pieces: Buffer[] = [];
      res.on('data', (piece: Buffer) => pieces.push(piece));
      res.once('end', () => {
        const { result, error } = JSON.parse(Buffer.concat(pieces).toString()) as { result: unknown; error: unknown };
        if (error === null) resolve(result);
        else reject(new Error(`${method}: ${JSON.stringify(error)}`));
      });
    });
    req.once('error', reject);
    req.end(text);
  });
}
