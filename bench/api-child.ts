/** The serving side of `bench/api.ts`: the API over 10,000 VMs, and beside it the bare Node servers that it is held against. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../src/base/clock.ts';
import { randomIds } from '../src/base/ids.ts';
import { publicRecord } from '../src/wire/jsonrpc.ts';
import { apiHouse } from '../tests/scenario/api-house.ts';

const vms = Number(process.argv[2] ?? 10_000);
const h = await apiHouse({ clock: systemClock });
const { db } = h;
for (let i = 0; i < vms; i++)
  db.create('VM', {
    ...{ name_label: `vm ${i}`, name_description: `Guest number ${i}`, VCPUs_max: 2, VCPUs_at_startup: 2 },
    ...{ memory_static_max: 2 ** 30, memory_dynamic_max: 2 ** 30 },
    HVM_boot_params: { order: 'cdn', firmware: 'bios' },
    platform: { nx: 'true', acpi: '1', apic: 'true', pae: 'true', viridian: 'false', stdvga: '0', videoram: '8' },
    other_config: { base_template_name: 'Other install media', mac_seed: randomIds.uuid(), import_task: 'none' },
    bios_strings: { 'bios-vendor': 'Xen', 'system-manufacturer': 'Xen', 'hp-rombios': '' },
  });
await db.durable();
const [vm] = db.refs('VM');
if (!vm) throw new Error('no VM was made');
const session = h.api.rootSession('bench');

/** What a server without an API behind it does: reads the body, answers bytes that it has. */
let bytes = Buffer.alloc(0);
const waiting = new Set<http.ServerResponse>();
const headers = () => ({ 'content-type': 'text/xml', 'content-length': bytes.length });
const bare = http.createServer((req, res) => {
  req.on('data', () => undefined);
  req.on('end', () => {
    if (req.url === '/wait') waiting.add(res);
    else res.writeHead(200, headers()).end(bytes);
  });
});
await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve));

let committed = 0n;
db.watch(() => {
  committed = process.hrtime.bigint();
});
let turn = 0;
/** Commands of the measuring side. */
const commands: Readonly<Record<string, (arg: string) => unknown>> = {
  bytes: (arg) => {
    bytes = Buffer.from(arg, 'latin1');
  },
  change: async () => {
    db.set('VM', vm, { name_description: `change ${turn++}` });
    await db.durable();
    return String(committed);
  },
  waiting: () => h.api.services.events.waiting,
  bareWaiting: () => waiting.size,
  release: () => {
    const at = String(process.hrtime.bigint());
    for (const res of waiting) res.writeHead(200, headers()).end(bytes);
    waiting.clear();
    return at;
  },
  /** Rate of `JSON.stringify` over the same records, bytes per second. */
  stringify: () => {
    const all = Object.fromEntries([...db.rows('VM')].map(([ref, record]) => [ref, publicRecord('VM', record)]));
    const started = performance.now();
    const { length } = Buffer.from(JSON.stringify(all));
    return (length * 1000) / (performance.now() - started);
  },
  token: () => String(db.settled).padStart(20, '0'),
};
process.on('message', async ({ id, name, arg }: { id: number; name: string; arg: string }) => {
  if (name === 'stop') {
    bare.close();
    bare.closeAllConnections();
    await h[Symbol.asyncDispose]();
    process.disconnect();
  } else process.send?.({ id, answer: await commands[name]?.(arg) });
});
process.send?.({ id: 0, answer: { port: h.port, barePort: (bare.address() as AddressInfo).port, session, vm } });
