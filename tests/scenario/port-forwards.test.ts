/** Ports of the host that lead into guests: whose they are, and that they go with what they belonged to. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { jsonrpc, type Loose, login } from './api-house.ts';
import { type TestHouse, testHouse } from './house.ts';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
/** The VMs that hold forwards, after all changes under way. */
async function holders({ house }: TestHouse): Promise<string[]> {
  await house.network.forward.set({ vm: 'none', device: 'none', forwards: [] });
  return (await house.network.forward.list({})).map((f) => f.vm);
}

async function caller(h: TestHouse): Promise<(method: string, ...params: unknown[]) => Promise<Loose>> {
  const session = await login(h.url);
  return (method, ...params) => jsonrpc(h.url, method, session, ...params);
}

async function withForward(h: TestHouse) {
  const call = await caller(h);
  const [template] = await call('VM.get_by_name_label', 'Tiny Linux');
  const make = async (name: string) => {
    const vm = await call('VM.clone', template, name);
    await call('VM.provision', vm);
    return vm as string;
  };
  const [network] = await call('network.get_by_name_label', 'Guest network');
  const port = await freePort();
  const addVif = (vm: string) =>
    call('VIF.create', {
      device: '0',
      network,
      VM: vm,
      MAC: '',
      MTU: 1500,
      other_config: { 'port-forwards': `tcp::${port}:22` },
      qos_algorithm_type: '',
      qos_algorithm_params: {},
    });
  const vm = await make('first');
  await addVif(vm);
  return { call, make, addVif, vm, uuid: (await call('VM.get_uuid', vm)) as string };
}

test('a forward goes with its VM, and the port is free for the next one', async () => {
  await using h = await testHouse();
  const { call, make, addVif, vm, uuid } = await withForward(h);
  assert.deepEqual(await holders(h), [uuid]);
  await call('VM.destroy', vm);
  assert.deepEqual(await holders(h), []);
  const next = await make('second');
  await addVif(next);
  await call('VM.start', next, false, false);
  assert.deepEqual(await holders(h), [await call('VM.get_uuid', next)]);
});

test('a VM whose port another one has does not start, and learns whose it is', async () => {
  await using h = await testHouse({ quiet: true });
  const { call, make, addVif, vm, uuid } = await withForward(h);
  assert.deepEqual(await holders(h), [uuid]);
  const second = await make('second');
  await addVif(second);
  const refused: { wire?: string[] } = await call('VM.start', second, false, false).then(
    () => ({}),
    (e: object) => e,
  );
  assert.match(
    refused.wire?.join(' ') ?? '',
    new RegExp(`tcp port \\d+ of 127.0.0.1 is taken by a forward of the VM ${uuid}`),
  );
  await call('VM.start', vm, false, false);
  assert.equal(await call('VM.get_power_state', second), 'Halted');
});

test('a snapshot and a template do not take the port of their VM, after a restart neither', async () => {
  await using h = await testHouse();
  const { call, vm, uuid } = await withForward(h);
  await call('VM.snapshot', vm, 'before');
  assert.deepEqual(await holders(h), [uuid]);
  await h.restart();
  assert.deepEqual(await holders(h), [uuid]);
  const again = await caller(h);
  await again('VM.set_is_a_template', vm, true);
  assert.deepEqual(await holders(h), []);
  await again('VM.set_is_a_template', vm, false);
  assert.deepEqual(await holders(h), [uuid]);
});

test('what an interface left behind while nobody looked is cleared at the next start', async () => {
  await using h = await testHouse();
  const forward = { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: await freePort(), guestPort: 22 } as const;
  const gone = { vm: 'gone', device: '00000000-0000-4000-8000-000000000001' };
  await h.house.network.forward.set({ ...gone, forwards: [{ ...forward, ...gone }] });
  assert.deepEqual(await holders(h), ['gone']);
  await h.restart();
  assert.deepEqual(await holders(h), []);
});
