import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { fail } from '../../datamodel/errors.ts';
import { connectOver, type XeDoor, xeDoor } from './door.ts';
import { type FakeHost, fakeHost } from './fake-host.ts';
import { duplexPair, type Outcome, runXe } from './fake-server.ts';

const golden = join(import.meta.dirname, '..', '..', '..', 'tests', 'golden', 'xe');

/** Compares with `tests/golden/xe/NAME.txt`; `UPDATE_GOLDEN=1` writes it. */
function matchesGolden(name: string, outcome: Outcome): void {
  const text = [
    outcome.stdout,
    outcome.stderr === '' ? '' : `--- stderr\n${outcome.stderr}`,
    outcome.code === 0 ? '' : `--- exit ${outcome.code}\n`,
  ].join('');
  const file = join(golden, `${name}.txt`);
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(golden, { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'), `${name}: differs from ${file}`);
}

const uuid = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
let host: FakeHost;
let door: XeDoor;

function world(): void {
  host = fakeHost();
  const h = host.add('host', 'alpha', { hostname: 'alpha', address: '192.0.2.1', enabled: true });
  const iso = host.add('SR', 'ISOs', { type: 'iso', content_type: 'iso' });
  const sr = host.add('SR', 'Local', { type: 'file', content_type: 'user' });
  host.add('pool', 'pool', { master: h, default_SR: sr });
  host.rec('SR', sr).PBDs = [
    host.add('PBD', 'pbd', { host: h, SR: sr, currently_attached: true, device_config: { location: '/srv' } }),
  ];
  const net = host.add('network', 'inside', { bridge: 'xenbr0', MTU: 1500 });
  const metrics = host.add('VM_metrics', 'm', { memory_actual: 268435456, start_time: '20260102T03:04:05Z' });
  const guest = host.add('VM_guest_metrics', 'g', {
    networks: { '0/ip': '10.0.0.2' },
    os_version: { name: 'Debian, 13', distro: 'debian' },
  });
  const web = host.add('VM', 'web', {
    power_state: 'Running',
    metrics,
    guest_metrics: guest,
    resident_on: h,
    domid: 3,
    memory_static_max: 268435456,
    other_config: { folder: '/a', mac_seed: 'x' },
    tags: ['blue', 'front,end'],
    current_operations: { 'OpaqueRef:task': 'clean_reboot' },
    actions_after_shutdown: 'destroy',
    actions_after_reboot: 'restart',
    actions_after_crash: 'restart',
  });
  const vdi = host.add('VDI', 'root', { SR: sr, virtual_size: 1073741824, type: 'user', managed: true });
  host.add('VDI', 'debian.iso', { SR: iso, virtual_size: 4096, read_only: true });
  const vbd = host.add('VBD', 'vbd', {
    VM: web,
    VDI: vdi,
    userdevice: '0',
    device: 'xvda',
    type: 'Disk',
    mode: 'RW',
    other_config: { owner: '' },
    currently_attached: true,
  });
  const cd = host.add('VBD', 'cd', { VM: web, empty: true, userdevice: '3', device: 'xvdd', type: 'CD', mode: 'RO' });
  host.rec('VM', web).VBDs = [vbd, cd];
  host.rec('VDI', vdi).VBDs = [vbd];
  const vif = host.add('VIF', 'vif', { VM: web, network: net, device: '0', MAC: '52:54:00:aa:bb:cc', MTU: 1500 });
  host.rec('VM', web).VIFs = [vif];
  host.add('VM', 'db', { power_state: 'Halted' });
  host.add('VM', 'db', { power_state: 'Suspended' });
  host.add('VM', 'Control domain', { is_control_domain: true, power_state: 'Running' });
  host.add('VM', 'Tiny Linux', { is_a_template: true, is_default_template: true });
  const text = host.add('console', 'text', { VM: web, protocol: 'vt100', location: 'https://192.0.2.1/console' });
  host.rec('VM', web).consoles = [text];
  door = xeDoor({
    connect: connectOver(host.transport, async () => 'OpaqueRef:session'),
    log: silentLog,
    version: '0.1.0',
  });
}
const xe = (line: string[], answers?: Parameters<typeof runXe>[2]) => runXe(door, line, answers);
const uuidOf = (cls: string, ref: string) => String(host.rec(cls, ref).uuid);
const changes = () => host.calls.filter(([m]) => m !== 'session.logout');

describe('lists and records', () => {
  before(world);
  const cases: Record<string, string[]> = {
    'vm-list': ['vm-list'],
    'vm-list-minimal': ['vm-list', 'params=tags', '--minimal'],
    'vm-list-filters': [
      'vm-list',
      'power-state=running',
      'is-control-domain=false',
      'tags:contains=blue',
      'other-config:folder=/a',
    ],
    'vm-list-params': [
      'vm-list',
      'params=power-state,name-label,networks,current-operations,allowed-VBD-devices',
      'name-label=web',
    ],
    'vm-list-json': [
      'vm-list',
      'params=uuid,name-label,dom-id,tags,other-config,resident-on,affinity',
      'name-label=web',
      '--json',
    ],
    'vm-list-unknown-field': ['vm-list', 'power-sate=running'],
    'vm-param-list': ['vm-param-list', `uuid=${uuid(0x9)}`],
    'template-list': ['template-list'],
    'sr-list': ['sr-list'],
    'vdi-list': ['vdi-list'],
    'vbd-list': ['vbd-list', 'params=all'],
    'vif-list': ['vif-list'],
    'network-list': ['network-list'],
    'host-list': ['host-list'],
    'pool-list': ['pool-list'],
    'pbd-list': ['pbd-list'],
    'console-list': ['console-list'],
    'cd-list': ['cd-list'],
    'vm-disk-list': ['vm-disk-list', 'vm=web'],
    'vm-cd-list': ['vm-cd-list', 'vm=web'],
    'vm-vif-list': ['vm-vif-list', 'vm=web'],
    help: ['help'],
    'help-command': ['help', 'vm-disk-add'],
    'help-family': ['help', 'network-param-set'],
  };
  for (const [name, line] of Object.entries(cases)) test(name, async () => matchesGolden(name, await xe(line)));

  test('one field, one key', async () => {
    const web = uuidOf('VM', 'OpaqueRef:web');
    const get = async (...rest: string[]) => (await xe(['vm-param-get', `uuid=${web}`, ...rest])).stdout;
    assert.equal(await get('param-name=networks'), '0/ip: 10.0.0.2\n');
    assert.equal(await get('param-name=networks', 'param-key=0/ip'), '10.0.0.2\n');
    assert.equal(await get('param-name=memory-actual', '--json'), '268435456\n');
    assert.equal(await get('param-name=power-state'), 'running\n');
    assert.match((await xe(['vm-param-get', `uuid=${web}`, 'param-name=tags', 'param-key=a'])).stderr, /no map/);
  });
});

describe('changes', () => {
  const each: [string, string[], unknown[][]][] = [
    ['start', ['vm-start', 'vm=web', '--force'], [['VM.start', 'OpaqueRef:web', false, true]]],
    [
      'start on a host',
      ['vm-start', 'vm=web', 'on=alpha', 'paused=true'],
      [['VM.start_on', 'OpaqueRef:web', 'OpaqueRef:alpha', true, false]],
    ],
    ['shutdown', ['vm-shutdown', 'vm=web'], [['VM.clean_shutdown', 'OpaqueRef:web']]],
    ['shutdown by force', ['vm-shutdown', 'vm=web', '--force'], [['VM.hard_shutdown', 'OpaqueRef:web']]],
    ['pause, a plain call', ['vm-pause', 'vm=web'], [['VM.pause', 'OpaqueRef:web']]],
    [
      'memory in MiB',
      [
        'vm-memory-limits-set',
        'vm=web',
        'static-min=16MiB',
        'static-max=1GiB',
        'dynamic-min=64MiB',
        'dynamic-max=1048576',
      ],
      [['VM.set_memory_limits', 'OpaqueRef:web', 16777216, 1073741824, 67108864, 1048576]],
    ],
    ['hotplug', ['vm-vcpu-hotplug', 'vm=web', 'new-vcpus=2'], [['VM.set_VCPUs_number_live', 'OpaqueRef:web', 2]]],
    [
      'set',
      [
        'vm-param-set',
        `uuid=${uuid(0x9)}`,
        'name-label=a=b',
        'actions-after-crash=Preserve',
        'platform:viridian=true',
        'suspend-SR-uuid=',
      ],
      [
        ['VM.set_name_label', 'OpaqueRef:web', 'a=b'],
        ['VM.set_actions_after_crash', 'OpaqueRef:web', 'preserve'],
        ['VM.remove_from_platform', 'OpaqueRef:web', 'viridian'],
        ['VM.add_to_platform', 'OpaqueRef:web', 'viridian', 'true'],
        ['VM.set_suspend_SR', 'OpaqueRef:web', 'OpaqueRef:NULL'],
      ],
    ],
    [
      'add to a set',
      ['vm-param-add', `uuid=${uuid(0x9)}`, 'param-name=tags', 'param-key=x'],
      [['VM.add_tags', 'OpaqueRef:web', 'x']],
    ],
    [
      'add to a map',
      ['vm-param-add', `uuid=${uuid(0x9)}`, 'param-name=other-config', 'k=v'],
      [['VM.add_to_other_config', 'OpaqueRef:web', 'k', 'v']],
    ],
    [
      'remove a key',
      ['vm-param-remove', `uuid=${uuid(0x9)}`, 'param-name=other-config', 'param-key=folder'],
      [['VM.remove_from_other_config', 'OpaqueRef:web', 'folder']],
    ],
    ['clear a set', ['vm-param-clear', `uuid=${uuid(0x9)}`, 'param-name=tags'], [['VM.set_tags', 'OpaqueRef:web', []]]],
    ['plug', ['pbd-plug', `uuid=${uuid(0x5)}`], [['PBD.plug', 'OpaqueRef:pbd']]],
    ['enable', ['host-enable', 'host=alpha'], [['host.enable', 'OpaqueRef:alpha']]],
    ['reset', ['vm-reset-powerstate', 'vm=web', '--force'], [['VM.power_state_reset', 'OpaqueRef:web']]],
    [
      'insert',
      ['vm-cd-insert', 'vm=web', 'cd-name=debian.iso'],
      [['VBD.insert', 'OpaqueRef:cd', 'OpaqueRef:debian.iso']],
    ],
    ['vlan', ['pool-vlan-create', `pif-uuid=${uuid(0x1)}`, 'vlan=7', `network-uuid=${uuid(0x6)}`], []],
  ];
  for (const [what, line, calls] of each)
    test(what, async () => {
      world();
      const outcome = await xe(line);
      if (calls.length > 0) assert.equal(outcome.stderr, '');
      assert.deepEqual(changes(), calls);
    });

  test('create prints the uuid of what was made', async () => {
    world();
    const { stdout, stderr } = await xe(['network-create', 'name-label=n', 'MTU=9000', 'managed=false']);
    assert.equal(stderr, '');
    const [method, record] = changes()[0] ?? [];
    assert.equal(method, 'network.create');
    assert.deepEqual(record, { name_label: 'n', MTU: 9000, managed: false, other_config: {} });
    assert.match(stdout, /^[0-9a-f-]{36}\n$/);
  });

  test('install clones, places the disks, provisions; a failure removes the clone', async () => {
    world();
    host.on('VM.clone', (_, name) =>
      host.add('VM', String(name), {
        other_config: { disks: '<provision><disk device="0" size="1" sr=""/></provision>' },
      }),
    );
    host.on('VM.provision', () => '');
    const line = ['vm-install', 'template=Tiny Linux', 'new-name-label=fresh', 'sr-name-label=Local'];
    const { stdout, stderr, code } = await xe(line);
    assert.deepEqual([stderr, code], ['', 0]);
    assert.equal(stdout, `${uuidOf('VM', 'OpaqueRef:fresh')}\n`);
    const sr = uuidOf('SR', 'OpaqueRef:Local');
    assert.deepEqual(changes(), [
      ['VM.clone', 'OpaqueRef:Tiny Linux', 'fresh'],
      [
        'VM.set_other_config',
        'OpaqueRef:fresh',
        { disks: `<provision><disk device="0" size="1" sr="${sr}"/></provision>` },
      ],
      ['VM.provision', 'OpaqueRef:fresh'],
    ]);
    host.on('VM.provision', () => {
      throw fail('SR_FULL', { requested: '1', maximum: '0' } as never);
    });
    const failed = await xe(line.with(2, 'new-name-label=other'));
    assert.equal(failed.code, 1);
    assert.deepEqual(changes().at(-1), ['VM.destroy', 'OpaqueRef:other']);
  });

  test('uninstall asks first, then destroys the VM and its own disks', async () => {
    world();
    const no = await xe(['vm-uninstall', 'vm=web'], { lines: ['no'] });
    assert.equal(no.code, 1);
    assert.match(no.stdout, /VM : .* \(web\)\nVDI: .* \(root\)/);
    assert.deepEqual(changes(), []);
    const yes = await xe(['vm-uninstall', 'vm=web'], { lines: ['yes'] });
    assert.equal(yes.stderr, '');
    assert.deepEqual(changes(), [
      ['VM.hard_shutdown', 'OpaqueRef:web'],
      ['VM.destroy', 'OpaqueRef:web'],
      ['VDI.destroy', 'OpaqueRef:root'],
    ]);
  });

  test('vdi-import has the client send the file it named, and waits for the task', async () => {
    world();
    host.on('task.create', () => host.add('task', 'upload', { status: 'pending' }));
    host.on('event.from', () => ({
      events: [
        {
          id: '1',
          class: 'task',
          operation: 'mod',
          ref: 'OpaqueRef:upload',
          snapshot: host.rec('task', 'OpaqueRef:upload'),
        },
      ],
      token: 't',
    }));
    const vdi = uuidOf('VDI', 'OpaqueRef:root');
    const done =
      (status: string, error_info: string[] = []) =>
      () => {
        Object.assign(host.rec('task', 'OpaqueRef:upload'), { status, error_info });
        return status === 'success';
      };
    host.on('event.from', () => {
      const snapshot = { ...host.rec('task', 'OpaqueRef:upload') };
      return { events: [{ id: '1', class: 'task', operation: 'mod', ref: 'OpaqueRef:upload', snapshot }], token: 't' };
    });
    const line = ['vdi-import', `uuid=${vdi}`, 'filename=/tmp/disk.raw'];
    const good = await xe(line, { transfer: done('success') });
    assert.deepEqual([good.stderr, good.code], ['', 0]);
    const [put] = good.asked;
    assert.ok(put?.do === 'httpPut');
    assert.equal(put.file, '/tmp/disk.raw');
    const url = new URL(put.url, 'http://h');
    assert.equal(url.pathname, '/import_raw_vdi');
    assert.deepEqual(Object.fromEntries(url.searchParams), {
      session_id: 'OpaqueRef:session',
      task_id: 'OpaqueRef:upload',
      vdi: 'OpaqueRef:root',
      format: 'raw',
    });
    const bad = await xe(line, { transfer: done('failure', ['VDI_IN_USE', 'OpaqueRef:root', 'write']) });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /VDI_IN_USE/);
    assert.match(bad.stderr, /vdi: [0-9a-f-]{36} \(root\)/);
  });

  test('console connects to the text console of a running VM only', async () => {
    world();
    const good = await xe(['console', 'vm=web']);
    assert.equal(good.code, 0);
    assert.deepEqual(good.asked, [
      { do: 'httpConnect', url: '/console?ref=OpaqueRef%3Atext&session_id=OpaqueRef%3Asession' },
    ]);
    host.rec('VM', 'OpaqueRef:web').power_state = 'Paused';
    assert.match((await xe(['console', 'vm=web'])).stderr, /is paused; only a running VM/);
  });

  test('event-wait returns when the object is as asked', async () => {
    world();
    let round = 0;
    host.on('event.from', () => {
      round++;
      const snapshot = { ...host.rec('VM', 'OpaqueRef:web'), power_state: round > 1 ? 'Halted' : 'Running' };
      return {
        events: [{ id: '1', class: 'vm', operation: 'mod', ref: 'OpaqueRef:web', snapshot }],
        token: String(round),
      };
    });
    assert.equal((await xe(['event-wait', 'class=vm', 'name-label=web', 'power-state=/=running'])).code, 0);
    assert.equal(round, 2);
  });

  test('with --progress a call runs as a task', async () => {
    world();
    let at = 0;
    host.on('Async.VM.clean_shutdown', () => host.add('task', 'job'));
    host.on('event.from', () => {
      at += 0.5;
      const snapshot = {
        ...host.rec('task', 'OpaqueRef:job'),
        progress: at,
        status: at >= 1 ? 'success' : 'pending',
        result: '<value></value>',
      };
      return { events: [{ id: '1', class: 'task', operation: 'mod', ref: 'OpaqueRef:job', snapshot }], token: 't' };
    });
    const { stderr, code } = await xe(['vm-shutdown', 'vm=web', '--progress']);
    assert.deepEqual([stderr, code], ['\rVM.clean_shutdown 50 %\rVM.clean_shutdown 100 %\n', 0]);
  });
});

describe('refusals', () => {
  before(world);
  const cases: [string, string[], RegExp][] = [
    ['no such command', ['vm-strat'], /There is no command "vm-strat"; did you mean vm-start/],
    ['missing parameter', ['vbd-create', 'device=0'], /Missing parameter: vm-uuid=/],
    [
      'unknown parameter',
      ['network-create', 'name-label=x', 'brigde=y'],
      /no parameter "brigde"; did you mean bridge\?/,
    ],
    ['no such object', ['vm-param-list', 'uuid=nope'], /\(UUID_INVALID\)\ntype: VM\nuuid: nope\n/],
    ['nothing selected', ['vm-start', 'vm=nope'], /No matching VM found\nvm: nope/],
    ['several selected', ['vm-start', 'vm=db'], /2 objects match: .*Name one VM with vm=, or add --multiple/],
    [
      'bad number',
      ['vm-memory-set', 'vm=web', 'memory=lots'],
      /memory is "lots"; it must be a whole number, such as 4096 or 4GiB/,
    ],
    ['bad enum', ['vm-param-set', `uuid=${uuid(0x9)}`, 'actions-after-crash=explode'], /must be one of destroy/],
    ['read-only field', ['vm-param-set', `uuid=${uuid(0x9)}`, 'dom-id=1'], /dom-id cannot be set/],
    ['not available', ['update-upload', 'file-name=x'], /update-upload is not available in this version/],
    ['stray word', ['vm-start', 'web'], /"web" is neither name=value nor --flag/],
    ['no force', ['vm-reset-powerstate', 'vm=web'], /Add --force/],
  ];
  for (const [what, line, text] of cases)
    test(what, async () => {
      const { stderr, code, stdout } = await xe(line);
      assert.match(stderr, text);
      assert.deepEqual([code, stdout], [1, '']);
    });

  test('a message without an implementation says so in one line', async () => {
    world();
    host.on('VM.pause', () => {
      throw fail('NOT_IMPLEMENTED', { function: 'VM.pause' });
    });
    const { stderr, code } = await xe(['vm-pause', 'vm=web']);
    assert.deepEqual([stderr, code], ['Error: this server does not have VM.pause yet\n', 1]);
  });

  test('parameters of errors that are references are shown as uuid and name', async () => {
    world();
    host.on('VM.start', (vm) => {
      throw fail('VM_BAD_POWER_STATE', { vm: String(vm), expected: 'halted', actual: 'running' });
    });
    const { stderr } = await xe(['vm-start', 'vm=web']);
    assert.ok(stderr.endsWith(`vm: ${uuid(0x9)} (web)\nexpected: halted\nactual: running\n`), stderr);
  });

  test('passwords: a wrong one is refused, the right one logs in and out', async () => {
    world();
    const wrong = await xe(['vm-list'], { login: ['username=root', 'password=wrong'], local: false });
    assert.match(wrong.stderr, /SESSION_AUTHENTICATION_FAILED/);
    assert.equal(wrong.code, 1);
    const right = await xe(['vm-list', '--minimal'], { login: ['username=root', 'password=secret'], local: false });
    assert.equal(right.code, 0);
    assert.deepEqual(host.calls.at(-1), ['session.logout']);
    const none = await xe(['vm-list'], { local: false });
    assert.equal(none.code, 1);
  });

  test('whatever is posted ends with an exit of 0 or 1', async () => {
    const names = [
      'vm-list',
      'vm-start',
      'vm-param-set',
      'vm-param-add',
      'sr-create',
      'bond-create',
      'vdi-create',
      'help',
      'vm-disk-list',
    ];
    const word = fc.oneof(
      fc.constantFrom(
        'vm=web',
        `uuid=${uuid(9)}`,
        'params=all',
        '--json',
        '--minimal',
        '--multiple',
        'param-name=tags',
        'type=x',
        'name-label=n',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('__proto__=1', 'constructor=1', 'other-config:__proto__=1', '=', ':', '--', 'a:b:c=d=e'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.array(word, { maxLength: 6 }), async (name, words) => {
        world();
        const { code } = await xe([name, ...words], { lines: ['yes'] });
        assert.ok(code === 0 || code === 1);
      }),
      { numRuns: 150 },
    );
  });

  test('a client that does not greet in time, or talks nonsense, is closed', async () => {
    const clock = new ManualClock();
    const idle = xeDoor({ connect: () => assert.fail(), log: silentLog, version: '0', clock });
    const body = Buffer.from('vm-list\n');
    const [near, far] = duplexPair();
    const late = idle.handle(far, Buffer.alloc(0), body, { local: true });
    await clock.advance(29_999);
    assert.ok(!far.destroyed);
    await clock.advance(1);
    await late;
    assert.ok(far.destroyed);
    near.destroy();
    const [client, host] = duplexPair();
    const ended = idle.handle(host, Buffer.alloc(0), body, { local: true });
    client.write('GET / HTTP/1.1\r\nhost: somewhere.example\r\n\r\n');
    await ended;
    assert.ok(host.writableEnded);
  });
});
