/** Guests know each other by the names of their VMs, without doing anything for it; a VM that is renamed is found by its new name. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { places } from '../../src/apps/places.ts';
import { xenopsContract } from '../../src/contracts/xenops.ts';
import { connectContract } from '../../src/rpc/client.ts';
import { cannotRun, consoleSays, type LiveHost, liveHost } from './host.ts';

function why(): string | false {
  if (process.getuid?.() !== 0) return 'networks with names need root';
  return cannotRun() ?? false;
}
interface Guest {
  readonly ref: string;
  readonly folder: string;
}

/** The network that every host has. */
async function networkOf(h: LiveHost): Promise<string> {
  type Networks = Record<string, { other_config: Record<string, string> }>;
  const all = Object.entries((await h.call('network.get_all_records')) as Networks);
  return all.find(([, network]) => network.other_config['automatic'] === 'true')?.[0] ?? '';
}
async function start(h: LiveHost, name: string): Promise<Guest> {
  const [template] = (await h.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const ref = (await h.call('VM.clone', template, name)) as string;
  await h.call('VM.provision', ref);
  const network = await networkOf(h);
  const qos = { qos_algorithm_type: '', qos_algorithm_params: {} };
  await h.call('VIF.create', { device: '0', network, VM: ref, MAC: '', MTU: 1500, other_config: {}, ...qos });
  await h.call('VM.start', ref, false, false);
  const folder = join(h.data, 'domains', (await h.call('VM.get_uuid', ref)) as string);
  return { ref, folder };
}
/** Packets that the guest has sent through its interface. */
async function sent(h: LiveHost, { ref }: Guest): Promise<number> {
  const [vif] = (await h.call('VM.get_VIFs', ref)) as string[];
  const xenops = connectContract(xenopsContract, places(h.data).xenopsSocket);
  try {
    const vm = String(await h.call('VM.get_uuid', ref));
    return (await xenops.vif.counters({ vm, id: String(await h.call('VIF.get_uuid', vif)) })).txPackets;
  } finally {
    xenops.close();
  }
}
const said = (guest: Guest) => readFileSync(join(guest.folder, 'console.log'), 'latin1');
function type(guest: Guest, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(guest.folder, 'console'), () => socket.end(text, () => resolve()));
    socket.on('error', reject).resume();
  });
}
async function eventually(what: string, f: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await f()); ) {
    if (Date.now() > deadline) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('guests reach each other by name', { skip: why(), timeout: 300_000 }, async () => {
  await using h = await liveHost();
  const guests = [await start(h, 'Front end'), await start(h, 'käse, "db"')] as const;
  for (const guest of guests) {
    await consoleSays(join(guest.folder, 'console.log'), 'READY');
    await eventually('an address', () => /eth0: [\d.]+/.test(said(guest)));
  }
  const [front, db] = guests;
  assert.ok((await sent(h, front)) > 0, 'what a guest has sent is counted');
  // The mark is put together by the shell, so that the echo of what is typed does not hold it.
  await type(front, "echo I am '<'$(hostname)'>'; ping -c 1 -W 20 kase-db && echo re''ached\n");
  await eventually('the ping', () => /^reached/m.test(said(front)));
  assert.match(said(front), /I am <front-end>/);
  const bridge = (await h.call('network.get_bridge', await networkOf(h))) as string;
  const [{ addr_info: addresses }] = JSON.parse(
    execFileSync('ip', ['-j', 'addr', 'show', 'dev', bridge], { encoding: 'utf8' }),
  ) as [{ addr_info: { local: string }[] }];
  const resolver = new Resolver({ timeout: 2000, tries: 1 });
  resolver.setServers(addresses.map(({ local }) => local).slice(0, 1));
  const known = (name: string) =>
    resolver.resolve4(name).then(
      (found) => said(db).includes(`eth0: ${found}`),
      () => false,
    );
  assert.ok(await known('kase-db'));
  await h.call('VM.set_name_label', db.ref, 'archive');
  await eventually('the new name', () => known('archive'));
  assert.ok(!(await known('kase-db')), 'the old name is not known any more');
});
