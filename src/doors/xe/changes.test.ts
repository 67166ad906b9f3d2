/** Which calls the commands make. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fail } from '../../datamodel/errors.ts';
import { fakeWorld, uuid, type World } from './fake-world.ts';

let w: World;
const world = () => {
  w = fakeWorld();
};
const xe: World['xe'] = (line, answers) => w.xe(line, answers);

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
      assert.deepEqual(w.changes(), calls);
    });

  test('create prints the uuid of what was made', async () => {
    world();
    const { stdout, stderr } = await xe(['network-create', 'name-label=n', 'MTU=9000', 'managed=false']);
    assert.equal(stderr, '');
    const [method, record] = w.changes()[0] ?? [];
    assert.equal(method, 'network.create');
    assert.deepEqual(record, { name_label: 'n', MTU: 9000, managed: false, other_config: {} });
    assert.match(stdout, /^[0-9a-f-]{36}\n$/);
  });

  test('install clones, places the disks, provisions; a failure removes the clone', async () => {
    world();
    w.host.on('VM.clone', (_, name) =>
      w.host.add('VM', String(name), {
        other_config: { disks: '<provision><disk device="0" size="1" sr=""/></provision>' },
      }),
    );
    w.host.on('VM.provision', () => '');
    const line = ['vm-install', 'template=Tiny Linux', 'new-name-label=fresh', 'sr-name-label=Local'];
    const { stdout, stderr, code } = await xe(line);
    assert.deepEqual([stderr, code], ['', 0]);
    assert.equal(stdout, `${w.uuidOf('VM', 'OpaqueRef:fresh')}\n`);
    const sr = w.uuidOf('SR', 'OpaqueRef:Local');
    assert.deepEqual(w.changes(), [
      ['VM.clone', 'OpaqueRef:Tiny Linux', 'fresh'],
      [
        'VM.set_other_config',
        'OpaqueRef:fresh',
        { disks: `<provision><disk device="0" size="1" sr="${sr}"/></provision>` },
      ],
      ['VM.provision', 'OpaqueRef:fresh'],
    ]);
    w.host.on('VM.provision', () => {
      throw fail('SR_FULL', { requested: '1', maximum: '0' } as never);
    });
    const failed = await xe(line.with(2, 'new-name-label=other'));
    assert.equal(failed.code, 1);
    assert.deepEqual(w.changes().at(-1), ['VM.destroy', 'OpaqueRef:other']);
  });

  test('uninstall asks first, then destroys the VM and its own disks', async () => {
    world();
    const no = await xe(['vm-uninstall', 'vm=web'], { lines: ['no'] });
    assert.equal(no.code, 1);
    assert.match(no.stdout, /VM : .* \(web\)\nVDI: .* \(root\)/);
    assert.deepEqual(w.changes(), []);
    const yes = await xe(['vm-uninstall', 'vm=web'], { lines: ['yes'] });
    assert.equal(yes.stderr, '');
    assert.deepEqual(w.changes(), [
      ['VM.hard_shutdown', 'OpaqueRef:web'],
      ['VM.destroy', 'OpaqueRef:web'],
      ['VDI.destroy', 'OpaqueRef:root'],
    ]);
  });

  test('vdi-import has the client send the file it named, and waits for the task', async () => {
    world();
    w.host.on('task.create', () => w.host.add('task', 'upload', { status: 'pending' }));
    w.host.on('event.from', () => ({
      events: [
        {
          id: '1',
          class: 'task',
          operation: 'mod',
          ref: 'OpaqueRef:upload',
          snapshot: w.host.rec('task', 'OpaqueRef:upload'),
        },
      ],
      token: 't',
    }));
    const vdi = w.uuidOf('VDI', 'OpaqueRef:root');
    const done =
      (status: string, error_info: string[] = []) =>
      () => {
        Object.assign(w.host.rec('task', 'OpaqueRef:upload'), { status, error_info });
        return status === 'success';
      };
    w.host.on('event.from', () => {
      const snapshot = { ...w.host.rec('task', 'OpaqueRef:upload') };
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
    // refused while the client still sends: the wait for the task is over first, with an error that must not be lost
    const refused = done('failure', ['VDI_IN_USE', 'OpaqueRef:root', 'write']);
    const early = await xe(line, {
      transfer: async () => {
        refused();
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
        return false;
      },
    });
    assert.equal(early.code, 1);
    assert.match(early.stderr, /VDI_IN_USE/);
  });

  test('a CD drive that cannot be plugged into the running VM is not left behind', async () => {
    world();
    const iso = w.host.rec('SR', String(w.host.rec('VDI', 'OpaqueRef:debian.iso').SR));
    iso.content_type = 'iso';
    w.host.on('VBD.create', () => w.host.add('VBD', 'fresh', { VM: 'OpaqueRef:web' }));
    w.host.on('VBD.plug', () => {
      throw fail('DEVICE_ALREADY_ATTACHED', { device: 'OpaqueRef:vbd' });
    });
    const { stderr, code } = await xe(['vm-cd-add', 'vm=web', 'cd-name=debian.iso', 'device=4']);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^device: ${w.uuidOf('VBD', 'OpaqueRef:vbd')} \\(VBD\\)$`, 'm'));
    assert.deepEqual(w.changes().at(-1), ['VBD.destroy', 'OpaqueRef:fresh']);
  });

  test('console connects to the text console of a running VM only', async () => {
    world();
    const good = await xe(['console', 'vm=web']);
    assert.equal(good.code, 0);
    assert.deepEqual(good.asked, [
      { do: 'httpConnect', url: '/console?ref=OpaqueRef%3Atext&session_id=OpaqueRef%3Asession' },
    ]);
    w.host.rec('VM', 'OpaqueRef:web').power_state = 'Paused';
    assert.match((await xe(['console', 'vm=web'])).stderr, /is paused; only a running VM/);
  });

  test('event-wait returns when the object is as asked', async () => {
    world();
    let round = 0;
    w.host.on('event.from', () => {
      round++;
      const snapshot = { ...w.host.rec('VM', 'OpaqueRef:web'), power_state: round > 1 ? 'Halted' : 'Running' };
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
    w.host.on('Async.VM.clean_shutdown', () => w.host.add('task', 'job'));
    w.host.on('event.from', () => {
      at += 0.5;
      const snapshot = {
        ...w.host.rec('task', 'OpaqueRef:job'),
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
