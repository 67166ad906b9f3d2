/** xenopsd and xenops-cli on the simulator: the seeds' file, every command, the interface's updates, barriers and tasks. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { openXenopsdDoor } from '../../src/apps/xenopsd-door.ts';
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { usages } from '../../src/doors/xenops-cli/cli.ts';
import { methods } from '../../src/doors/xenopsd/methods.ts';
import { testHouse } from './house.ts';
import { postTo, runIn, type XenopsdHost, xenopsdHost } from './xenopsd-host.ts';
import { xenopsdLife } from './xenopsd-life.ts';

const seed = `disk=[ 'phy:/dev/loop0,hda,w', ',hdb:cdrom,r' ]
vif=[ 'mac=00:16:3E:74:3d:77,model=rtl8139,bridge=xenbr0' ]
pci=[  ]
`;
const named = `name='myfirstvm'\n${seed}`;
interface Answer {
  readonly result: never;
  readonly error: unknown;
}
const call = async (h: Pick<XenopsdHost, 'post'>, method: string, params: object = {}): Promise<Answer> =>
  JSON.parse(await h.post(JSON.stringify({ method, params: [{ debug_info: 'test', ...params }], id: 1 }))) as Answer;
const result = async <T>(h: Pick<XenopsdHost, 'post'>, method: string, params: object = {}): Promise<T> => {
  const { error, result: value } = await call(h, method, params);
  assert.equal(error, null, `${method}: ${JSON.stringify(error)}`);
  return value;
};

/** Calls that answer a task, to their ends. */
function tasksOf(h: Pick<XenopsdHost, 'post'>) {
  const finished = async (method: string, params: object = {}) => {
    const task = await result<string>(h, method, params);
    for (let last = 0; ; ) {
      const { state } = await result<{ state: [string, unknown] }>(h, 'Task.stat', { id: task });
      if (state[0] !== 'Pending') return state;
      const [, , next] = await result<[unknown, unknown, number]>(h, 'UPDATES.get', { last_id: last, timeout: 5 });
      last = next;
    }
  };
  const done = async (method: string, params: object = {}) => {
    const state = await finished(method, params);
    assert.equal(state[0], 'Completed', `${method}: ${JSON.stringify(state)}`);
  };
  return { finished, done };
}

test("the seeds' VM lives on the simulator, where its disk and bridge need not exist", async () => {
  await using h = await xenopsdHost();
  await xenopsdLife(h, {
    text: named,
    cd: 'hdb',
    image: '/nowhere/image',
    iso: '/nowhere/a.iso',
    disk: { name: 'xvdd', spec: '/nowhere/b.qcow2,qcow2,xvdd' },
    vif: { name: '1', spec: 'bridge=xenbr7,mac=00:16:3e:00:00:07' },
    up: async () => undefined,
  });
  assert.match(await h.ok('add', h.file('seed.cfg', seed)), /-/);
  assert.match(await h.ok('list'), /\nunnamed /);
});

test('what was added is there after a restart, and a running guest is found again', async () => {
  await using h = await xenopsdHost();
  await h.ok('add', h.file('a.cfg', named));
  await h.ok('start', 'myfirstvm');
  await h.restart();
  const [row] = (await h.json('list')) as { power_state: string }[];
  assert.equal(row?.power_state, 'Running');
});

test('a wrong file is refused by place, and nothing is added', async () => {
  await using h = await xenopsdHost();
  for (const [text, told] of [
    ["disk = [ '/a,raw,xvda,w', '/b,raw,xvda,w' ]\n", '1:27: disk: the drive xvda is there twice, also in line 1'],
    ['memory = 64\nnonsense = 1\n', '2:1: nonsense: there is no such setting'],
    ["vif = [ 'bridge=br0,script=/x' ]\n", '1:21: vif: script="/x" is not supported'],
    [
      "on_crash = 'coredump-destroy'\n",
      '1:12: on_crash: "coredump-destroy" is not supported; it may be destroy, restart, preserve',
    ],
  ] as const) {
    const file = h.file('bad.cfg', text);
    const ran = await h.cli('add', file);
    assert.deepEqual([ran.status, ran.out, ran.err], [1, '', `${file}:${told}\n`]);
  }
  assert.deepEqual(await h.json('list'), []);
});

test('the command line: wrong usage is told apart from failure, and every command has help', async () => {
  await using h = await xenopsdHost();
  for (const argv of [
    ['dance'],
    ['start'],
    ['start', 'a', 'b'],
    ['list', '--force'],
    ['suspend', 'a'],
    ['resume', 'a', '--block-device'],
    ['import'],
    ['vbd-plug', 'nodot'],
  ]) {
    const ran = await h.cli(...argv);
    assert.deepEqual([ran.status, ran.out], [2, ''], argv.join(' '));
    assert.match(ran.err, /^xenops-cli: .+; xenops-cli help shows what there is\n$/);
  }
  const missing = await h.cli('start', 'nobody');
  assert.deepEqual([missing.status, missing.out], [1, '']);
  const help = await h.ok('help');
  for (const [command, { options = {}, does }] of Object.entries(usages)) {
    const text = await h.ok(command, '--help');
    assert.ok(text.startsWith(`usage: xenops-cli ${command}`) && text.includes(does) && help.includes(does), command);
    for (const option of Object.keys(options)) assert.match(text, new RegExp(`\n  --${option}\\b.* \\S`), option);
  }
  const told = await h.cli('-v', '--json', 'list');
  assert.deepEqual([told.out, told.err], ['[]\n', 'xenops-cli: VM.list {}\n']);
});

test('every method of the interface is served', async () => {
  await using h = await xenopsdHost();
  assert.equal(Object.keys(methods).length, 105);
  for (const method of Object.keys(methods)) {
    if (method === 'UPDATES.get' || method === 'DEBUG.shutdown') continue;
    const { error, result: value } = await call(h, method, { id: 'none' });
    // An answer, or a refusal in the interface's words; never a failure of the program.
    assert.ok(error === null || (Array.isArray(error) && error.length === 2), `${method}: ${JSON.stringify(error)}`);
    assert.doesNotMatch(JSON.stringify(error ?? value), /TypeError|undefined|Cannot read/, method);
  }
  assert.deepEqual((await call(h, 'VM.frobnicate')).error, ['Unimplemented', 'VM.frobnicate']);
});

test('the wire: 1.0 and 2.0, XML-RPC by the first byte, positional parameters, and what is no call', async () => {
  await using h = await xenopsdHost();
  const two = JSON.parse(
    await h.post('{"jsonrpc":"2.0","method":"VM.stat","params":{"debug_info":"","id":"u"},"id":7}'),
  );
  assert.deepEqual(two, {
    jsonrpc: '2.0',
    error: { code: 1, message: 'Does_not_exist', data: ['Does_not_exist', ['VM', 'u']] },
    id: 7,
  });
  const xml = await h.post(
    '<?xml version="1.0"?><methodCall><methodName>VM.exists</methodName><params><param><value><struct><member><name>id</name>' +
      '<value>u</value></member></struct></value></param></params></methodCall>',
  );
  assert.match(xml, /<name>Status<\/name><value>(<string>)?Success/);
  const positional = JSON.parse(await h.post('{"method":"query","params":["dbg","x"],"id":1}'));
  assert.equal(positional.result.name, 'xenops');
  for (const bad of ['', '{', '[]', '7', '{"method":7}', '<a/>', '{"method":"VM.stat","params":[1,2],"id":1}']) {
    const answer = JSON.parse(await h.post(bad));
    assert.equal(answer.error[0], 'Internal_error', bad);
  }
  // Names of members and variants in any case; a member that is unknown is passed over.
  const task = await result<string>(h, 'VM.start', { ID: 'x', id: 'none', PAUSED: true, paused: false, extra: 1 });
  assert.equal(task, '0');
});

test('changes are told after a number, barriers hold what came before them, tasks are asked for and cancelled', async () => {
  await using h = await xenopsdHost();
  const id = (await h.ok('add', h.file('a.cfg', named))).trim();
  type Page = [[number, unknown[]][], unknown[], number];
  const [, first, last] = await result<Page>(h, 'UPDATES.get', { last_id: 0 });
  assert.deepEqual(first.map((x) => JSON.stringify(x)).sort(), [
    `["Vbd",["${id}","hda"]]`,
    `["Vbd",["${id}","hdb"]]`,
    `["Vif",["${id}","0"]]`,
    `["Vm","${id}"]`,
  ]);
  assert.equal(await result(h, 'UPDATES.last_id'), last);
  const waiting = result<Page>(h, 'UPDATES.get', { last_id: last });
  await result(h, 'UPDATES.inject_barrier', { vm_id: id, id: 42 });
  const [barriers, , next] = await waiting;
  assert.deepEqual(barriers, [[42, []]]);
  assert.equal(next, last + 1);
  await result(h, 'UPDATES.remove_barrier', { id: 42 });
  assert.deepEqual(await result(h, 'UPDATES.get', { last_id: next, timeout: 0 }), [[], [], next]);
  await result(h, 'UPDATES.refresh_vm', { id });
  assert.equal((await result<Page>(h, 'UPDATES.get', { last_id: next }))[1].length, 4);

  const task = await result<string>(h, 'VM.delay', { id, delay: 1000 });
  assert.deepEqual((await result<{ state: unknown }>(h, 'Task.stat', { id: task })).state, ['Pending', 0]);
  const before = await result<number>(h, 'UPDATES.last_id');
  await result(h, 'Task.cancel', { id: task });
  const [, told] = await result<Page>(h, 'UPDATES.get', { last_id: before });
  assert.deepEqual(told, [['Task', task]]);
  const { state } = await result<{ state: [string, unknown[]] }>(h, 'Task.stat', { id: task });
  assert.equal(state[0], 'Failed');
  await result(h, 'Task.destroy', { id: task });
  assert.deepEqual((await call(h, 'Task.stat', { id: task })).error, ['Does_not_exist', ['Task', task]]);
});

test('what callers try out: debug keys, workers, triggers, sleep, shadow memory, a checkpoint', async () => {
  await using h = await xenopsdHost();
  const id = (await h.ok('add', h.file('a.cfg', named))).trim();
  const { finished, done } = tasksOf(h);
  await h.ok('start', id);
  await result(h, 'HOST.send_debug_keys', { debug_keys: 'hq' });
  const messages = await result<string>(h, 'HOST.get_console_data');
  assert.match(messages, new RegExp(`created for ${id}\n'h' pressed\n'q' pressed\ndomain \\d+: running`));
  assert.equal((await call(h, 'HOST.send_debug_keys', { debug_keys: '' })).error?.constructor, Array);
  for (const size of [1, 4]) await result(h, 'HOST.set_worker_pool_size', { pool_size: size });
  assert.notEqual((await call(h, 'HOST.set_worker_pool_size', { pool_size: 0 })).error, null);

  await done('VM.s3suspend', { id });
  await done('VM.s3resume', { id });
  await done('VM.set_shadow_multiplier', { id, multiplier: 2 });
  const [, seen] = await result<[unknown, { shadow_multiplier_target: number }]>(h, 'VM.stat', { id });
  assert.equal(seen.shadow_multiplier_target, 2);
  assert.equal((await finished('VM.set_shadow_multiplier', { id, multiplier: 0 }))[0], 'Failed');
  assert.deepEqual((await finished('VM.run_script', { id, script: 'dir' }))[1], [
    'Unimplemented',
    'VM.runScript on simulator',
  ]);

  await done('VM.suspend', { id, suspend_vdi: ['Local', '/nowhere/image'] });
  await done('VM.fast_resume', { id });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Running');

  const before = (await h.xenops.vm.stat({ id })).state.domid;
  const rebooted = new Promise<void>((resolve) => {
    h.xenops.watch(({ vm }) => {
      if (vm?.state.power === 'Running' && vm.state.domid !== before) resolve();
    });
  });
  await result(h, 'DEBUG.trigger', { cmd: 'reboot', args: [id] });
  await rebooted;
  await result(h, 'DEBUG.trigger', { cmd: 'halt', args: [id] });
  await h.xenops.barrier.wait({ vm: id });
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  await result(h, 'DEBUG.trigger', { cmd: 'set-cancel-trigger', args: ['test', '2'] });
  assert.equal(((await finished('VM.start', { id, paused: true }))[1] as string[])[0], 'Cancelled');
  assert.equal((await h.xenops.vm.stat({ id })).state.power, 'Halted');
  await done('VM.start', { id, paused: true });
  assert.deepEqual((await call(h, 'DEBUG.trigger', { cmd: 'dance', args: [] })).error, [
    'Unimplemented',
    'DEBUG.trigger dance',
  ]);
});

test('a VM is started in steps: made, built, let go; what is not built yet waits, also over a restart', async () => {
  await using h = await xenopsdHost();
  const id = (await h.ok('add', h.file('a.cfg', named))).trim();
  const { finished, done } = tasksOf(h);
  const power = async () => (await h.xenops.vm.stat({ id })).state.power;
  assert.deepEqual((await finished('VM.build', { id, force: false }))[1], ['Bad_power_state', ['Halted', 'Paused']]);
  await done('VM.create', { id });
  const plugged = async () => Object.values((await h.xenops.vm.stat({ id })).state.vbds).map((v) => v.plugged);
  assert.deepEqual([await power(), await plugged()], ['Paused', [false, false]]);
  for (const [method, more] of [
    ['VM.unpause', {}],
    ['VBD.plug', { id: [id, 'hda'] }],
    ['VM.reboot', {}],
  ] as const)
    assert.equal((await finished(method, { id, ...more }))[1], 'Domain_not_built', method);
  await h.restart();
  assert.equal(await power(), 'Paused');
  await done('VM.build', { id, force: false });
  await done('VM.create_device_model', { id, save_state: false });
  assert.deepEqual([await power(), await plugged()], ['Paused', [true, true]]);
  await done('VM.unpause', { id });
  assert.equal(await power(), 'Running');
  await done('VM.destroy', { id });
  await done('VM.create', { id });
  await done('VM.shutdown', { id });
  assert.equal(await power(), 'Halted');
});

test('metadata goes out and comes in whole; a VM with a device that no ground plugs does not start', async () => {
  await using h = await xenopsdHost();
  const text = `${named}memory=128\ncpus="0-3,^1"\ncpu_weight=300\n`.replace('pci=[  ]', "pci=[ '01:00.0' ]");
  const id = (await h.ok('add', h.file('a.cfg', text))).trim();
  const metadata = await result<string>(h, 'VM.export_metadata', { id });
  const failed = await h.cli('start', 'myfirstvm');
  assert.deepEqual(
    [failed.status, failed.err],
    [1, 'xenops-cli: PCI_plug (a simulated host has no PCI devices) is not possible here\n'],
  );
  await h.ok('remove', id);
  assert.equal(await result(h, 'VM.import_metadata', { metadata }), id);
  assert.equal(await result(h, 'VM.export_metadata', { id }), metadata);
  const { spec } = await h.xenops.vm.stat({ id });
  assert.deepEqual(
    [spec.platform['mask'], spec.platform['weight'], spec.memory.staticMax],
    ['0,2-3', '300', 128 << 20],
  );
  // What another door changes is seen here, and what it does not touch stays.
  await h.xenops.vm.update({ id, name: 'renamed' });
  const [vm] = await result<[{ name: string; scheduler_params: { affinity: number[][] } }]>(h, 'VM.stat', { id });
  assert.deepEqual([vm.name, vm.scheduler_params.affinity], ['renamed', [[0, 2, 3]]]);
});

test('in the house, the VM of a file is a VM of XenAPI', async () => {
  await using house = await testHouse();
  const { db, xenops, screens } = house.house;
  const socketPath = join(house.data, 'run', 'x.sock');
  const base = { xenops, screens, clock: systemClock, ids: randomIds, log: silentLog };
  const close = await openXenopsdDoor({ ...base, version: 'test', socketPath, shutdown: () => undefined });
  try {
    const post = (text: string, signal?: AbortSignal) => postTo(socketPath, text, signal);
    const ok = async (...argv: string[]) => {
      const ran = await runIn(argv, post);
      assert.equal(ran.status, 0, ran.err);
      return ran.out;
    };
    writeFileSync(join(house.data, 'a.cfg'), named);
    const id = (await ok('add', join(house.data, 'a.cfg'))).trim();
    const ref = db.byUuid('VM', id);
    assert.deepEqual([db.get('VM', ref).name_label, db.get('VM', ref).VBDs.length], ['myfirstvm', 2]);
    await ok('start', 'myfirstvm');
    assert.equal(db.get('VM', ref).power_state, 'Running');
    const [vif] = db.get('VM', ref).VIFs;
    assert.ok(vif);
    const { done } = tasksOf({ post });
    const only = { ipv4: ['10.0.0.1'], ipv6: [] };
    await done('VIF.set_locking_mode', { id: [id, '0'], locking_mode: ['Locked', only] });
    await xenops.barrier.wait({ vm: id });
    const { locking_mode, ipv4_allowed } = db.get('VIF', vif);
    assert.deepEqual([locking_mode, ipv4_allowed], ['locked', ['10.0.0.1']]);
    await house.house.root('VIF.set_locking_mode', vif, 'disabled');
    const [seen] = await result<[{ locking_mode: unknown }]>({ post }, 'VIF.stat', { id: [id, '0'] });
    assert.equal(seen.locking_mode, 'Disabled');
    await house.house.root('VM.hard_shutdown', ref);
    const [row] = JSON.parse(await ok('--json', 'list')) as { power_state: string }[];
    assert.equal(row?.power_state, 'Halted');
    await ok('remove', id);
    assert.equal(db.findByUuid('VM', id), undefined);
  } finally {
    await close();
  }
});
