/**
 * Start-up of a whole host on the simulator: `guesthouse up` until the first call is answered, and what its house then holds
 * resident, with no VMs and with many. The peer is the same host without VMs. Wanted with 10,000: at most 2 s and 350 MiB.
 * `bin/node bench/startup.ts`; `VMS` and `ROUNDS` change how much.
 */
import { existsSync, readFileSync } from 'node:fs';
import { type LiveHost, liveHost, processesWith } from '../tests/live/host.ts';
import { median, printTable } from './host.ts';

const vms = Number(process.env['VMS'] ?? 10_000);
const rounds = Number(process.env['ROUNDS'] ?? 5);
/** Calls at once while the VMs are made. */
const clients = 16;

const start = (data?: string) => liveHost({ hypervisor: 'simulator', ...(data ? { data } : {}) });
async function leave(host: LiveHost): Promise<void> {
  const gone = new Promise((resolve) => host.up.once('exit', resolve));
  host.up.kill('SIGTERM');
  await gone;
}

/** VMs with a drive and an interface; without disks, whose files would take longest. */
async function fill(host: LiveHost): Promise<void> {
  const [template] = (await host.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const [network] = (await host.call('network.get_all')) as string[];
  const first = (await host.call('VM.clone', template, 'vm 0')) as string;
  await host.call('VM.provision', first);
  const device = { VM: first, other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} };
  const drive = { userdevice: '3', bootable: false, mode: 'RO', type: 'CD', unpluggable: true, empty: true };
  await host.call('VBD.create', { ...device, ...drive, VDI: 'OpaqueRef:NULL' });
  await host.call('VIF.create', { ...device, device: '0', network, MAC: '', MTU: 1500 });
  let next = 1;
  const client = async () => {
    while (next < vms) await host.call('VM.clone', first, `vm ${next++}`);
  };
  await Promise.all(Array.from({ length: clients }, client));
}

interface Started {
  readonly ms: number;
  /** Of the house, MiB, before the first call. */
  readonly resident: number;
}
async function measure(data: string): Promise<Started> {
  const began = performance.now();
  const host = await start(data);
  const [house] = [...processesWith(data)].find(([, line]) => line.includes('/apps/house.ts')) ?? [];
  const resident = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${house}/status`, 'utf8'))?.[1]) / 1024;
  await host.call('pool.get_all');
  const ms = performance.now() - began;
  await leave(host);
  return { ms, resident };
}

const empty = await start();
const full = await start();
try {
  await leave(empty);
  const began = performance.now();
  await fill(full);
  console.log(`${vms} VMs made in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  await leave(full);
  const [bare, loaded]: [Started[], Started[]] = [[], []];
  for (let i = 0; i < rounds; i++) {
    bare.push(await measure(empty.data));
    loaded.push(await measure(full.data));
  }
  const row = (what: string, pick: (s: Started) => number, unit: string, limit: number) => {
    const [peer, own] = [median(bare.map(pick)), median(loaded.map(pick))];
    return [
      what,
      `${peer.toFixed(0)} ${unit}`,
      `${own.toFixed(0)} ${unit}`,
      (own / peer).toFixed(2),
      `≤ ${limit} ${unit}`,
    ];
  };
  printTable([
    ['', 'without VMs', `${vms} VMs`, 'ratio', 'wanted'],
    row('start-up to the first answer', (s) => s.ms, 'ms', 2000),
    row('resident before the first call', (s) => s.resident, 'MiB', 350),
  ]);
} finally {
  for (const host of [empty, full]) if (existsSync(host.data)) await host[Symbol.asyncDispose]();
}
