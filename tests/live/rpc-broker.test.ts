/** rpc-broker between real clients and a real bus. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { brokerName } from '../../src/broker/reserved.ts';
import type { BusConnection } from '../../src/bus/connection.ts';
import { run, without } from './clients/program.ts';
import { cannotBus, type Daemon, type PrivateBus, privateBus } from './private-bus.ts';
import { clients, seedRules, serveDatabase, serveManager, uuid, vmPath, xenmgr } from './rpc-broker-bed.ts';

const skip = cannotBus() ?? false;
const packages: Readonly<Record<string, string>> = {
  busctl: 'systemd',
  gdbus: 'libglib2.0-bin',
  'dbus-send': 'dbus-bin',
};
const denied = { errorName: 'org.freedesktop.DBus.Error.AccessDenied' };
const manager = { destination: xenmgr, path: '/', interface: xenmgr };

interface Bed extends AsyncDisposable {
  readonly bus: PrivateBus;
  readonly broker: Daemon;
  /** Where domain 5 comes in, and its address. */
  readonly socket: string;
  readonly guest: string;
  readonly host: BusConnection;
  readonly done: string[];
  write(rules: string): void;
}
/** A broker with these rules, a manager and a database behind it. */
async function bed(
  rules: string,
  args: readonly string[] = [],
  leaves: Record<string, string> | null = {},
): Promise<Bed> {
  const bus = await privateBus();
  try {
    const host = await bus.connect();
    const done: string[] = [];
    await serveManager(host, { type: ['s', 'svm'] }, (member) => done.push(member));
    if (leaves) await serveDatabase(host, leaves);
    const [file, socket] = [join(bus.folder, 'rules'), join(bus.folder, 'guest')];
    writeFileSync(file, rules);
    const channel = `unix:${socket},domid=5,uuid=${uuid}`;
    const broker = await bus.daemon('rpc-broker', ['--xenstore', 'none', '-r', file, '-l', channel, ...args]);
    return {
      bus,
      broker,
      socket,
      guest: `unix:path=${socket}`,
      host,
      done,
      write: (text) => writeFileSync(file, text),
      [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
    };
  } catch (error) {
    await bus[Symbol.asyncDispose]();
    throw error;
  }
}
const busRules = 'allow destination org.freedesktop.DBus\n';

describe('rpc-broker on a real bus', { skip }, () => {
  for (const [name, client] of Object.entries(clients))
    test(`${name}, with the wiki's rules: list_vms answers, delete is refused`, {
      skip: without({ [String(packages[name])]: name }),
    }, async () => {
      await using b = await bed(seedRules);
      const listed = await client(b.socket, 'list_vms');
      assert.equal(listed.code, 0, listed.err);
      assert.match(listed.out.toString(), new RegExp(vmPath));
      const refused = await client(b.socket, 'delete');
      assert.notEqual(refused.code, 0);
      assert.match(refused.err, /rules of this host do not allow it|AccessDenied|Access denied/);
      assert.deepEqual(b.done, ['list_vms']);
      assert.match(b.broker.log(), /"denied".*"member":"delete".*"why":"[^"]*rules:2: deny all"/);
    });
  test('busctl introspects through it', { skip: without({ systemd: 'busctl' }) }, async () => {
    await using b = await bed(`allow destination ${xenmgr} interface org.freedesktop.DBus.Introspectable`);
    const shown = await run('busctl', [`--address=${b.guest}`, 'introspect', xenmgr, '/', xenmgr]);
    assert.equal(shown.code, 0, shown.err);
    assert.match(shown.out.toString(), /\.list_vms +method +- +ao/);
  });
  test('signals reach a guest that may ask for them, and are judged on their way', async () => {
    await using b = await bed(`${busRules}deny out-signal member secret`);
    const guest = await b.bus.connect(b.guest);
    const heard: string[] = [];
    const last = new Promise<void>((resolve) => {
      void guest.follow(`type='signal',interface='${xenmgr}'`, ({ interface: name, member }) => {
        if (name === xenmgr) heard.push(member);
        if (member === 'last') resolve();
      });
    });
    await guest.bus('GetId'); // the match rule is set by now
    for (const member of ['first', 'secret', 'last']) b.host.emit('/', xenmgr, member);
    await last;
    assert.deepEqual(heard, ['first', 'last']);
    await assert.rejects(guest.bus('AddMatch', 's', "eavesdrop='true'"), denied);
    await assert.rejects(guest.own(brokerName), denied);
    const monitor = {
      destination: 'org.freedesktop.DBus',
      path: '/org/freedesktop/DBus',
      interface: 'org.freedesktop.DBus.Monitoring',
    };
    await assert.rejects(guest.call({ ...monitor, member: 'BecomeMonitor', signature: 'asu', args: [[], 0] }), denied);
  });
  test('SIGHUP reads the rules again, connections go on; broken rules deny everything until they are mended', async () => {
    await using b = await bed('deny all\n');
    const guest = await b.bus.connect(b.guest);
    const list = () => guest.call({ ...manager, member: 'list_vms' });
    await assert.rejects(list(), denied);
    const reload = async (rules: string, logged: RegExp) => {
      b.write(rules);
      b.broker.child.kill('SIGHUP');
      await b.broker.logged(logged);
    };
    await reload(`allow destination ${xenmgr}\n`, /rules read.*"rules":1/);
    assert.deepEqual(await list(), [[vmPath]]);
    await reload('permit all\n', /everything of this domain is denied.*rules:1:1: permit: a rule begins/);
    await assert.rejects(list(), denied);
    await reload(`allow\nallow member list_vms\n`, /"rules":2/);
    assert.deepEqual(await list(), [[vmPath]]);
  });
  test("a VM's own rules and properties; those that cannot be read close the connection", async () => {
    const folder = `/vm/${uuid}/rpc-firewall-rules`;
    const leaves: Record<string, string> = {
      [`${folder}/0`]: 'allow member list_vms',
      [`${folder}/10`]: 'deny member list_vms',
      [`${folder}/9`]: 'allow dom-type svm member delete',
    };
    await using b = await bed('deny all\n', [], leaves);
    const guest = await b.bus.connect(b.guest);
    await assert.rejects(guest.call({ ...manager, member: 'list_vms' }), denied);
    await guest.call({ ...manager, member: 'delete' });
    delete leaves[`${folder}/10`];
    b.host.emit('/', xenmgr, 'vm_config_changed', 'so', [uuid, vmPath]);
    // Its turn comes after the signal's, which asks the database first.
    while (!(await guest.call({ ...manager, member: 'list_vms' }).catch(() => undefined)));
    leaves[`${folder}/0`] = 'permit all';
    await assert.rejects(b.bus.connect(b.guest), /cannot be reached|Disconnected|lost/);
    await b.broker.logged(/rules cannot be read: .*rpc-firewall-rules\/0:1:1: permit/);
  });
  test('no database: denied, until it is there', async () => {
    await using b = await bed(`allow destination ${xenmgr}`, [], null);
    const guest = await b.bus.connect(b.guest);
    await assert.rejects(guest.call({ ...manager, member: 'list_vms' }), denied);
    await serveDatabase(b.host, {});
    while (!(await guest.call({ ...manager, member: 'list_vms' }).catch(() => undefined)));
  });
  test('names are rewritten; who is behind a connection can be asked', async () => {
    await using b = await bed(busRules, ['-n', 'com.citrix.xenclient.guest.uuid_$UUID', '--owner-name']);
    const guest = await b.bus.connect(b.guest);
    await guest.own('org.example.mine');
    const name = `com.citrix.xenclient.guest.uuid_${uuid.replaceAll('-', '_')}`;
    assert.deepEqual(await b.host.bus('GetNameOwner', 's', name), [guest.name]);
    assert.deepEqual(await guest.bus('GetNameOwner', 's', name), [name]);
    const [owners] = await b.host.bus('ListQueuedOwners', 's', brokerName);
    const ask = { destination: (owners as string[])[0] as string, path: '/', interface: brokerName, signature: 's' };
    assert.deepEqual(await b.host.call({ ...ask, member: 'GetConnectionDOMID', args: [guest.name] }), [5]);
    const unknown = b.host.call({ ...ask, member: 'GetConnectionDOMID', args: [b.host.name] });
    await assert.rejects(unknown, { errorName: 'org.freedesktop.DBus.Error.NameHasNoOwner' });
  });
  test('its service answers for domains', async () => {
    await using b = await bed(`${seedRules}\nallow out-signal interface a.b\nallow inc-signal interface c.d`);
    await b.bus.connect(b.guest);
    const ask = async (member: string, ...args: unknown[]) => {
      const signature = `i${'s'.repeat(args.length - 1)}`;
      const [answer] = await b.host.call({
        destination: brokerName,
        path: '/',
        interface: brokerName,
        member,
        signature,
        args,
      });
      return answer;
    };
    assert.equal(await ask('validate_call', 5, xenmgr, xenmgr, 'list_vms'), true);
    assert.equal(await ask('validate_call', 5, xenmgr, xenmgr, 'delete'), false);
    assert.equal(await ask('validate_call', 6, xenmgr, xenmgr, 'list_vms'), false, 'a domain of no known VM');
    assert.equal(await ask('validate_call', 0, xenmgr, xenmgr, 'delete'), true);
    assert.deepEqual(
      [await ask('validate_recv_signal', 5, 'a.b', 'S'), await ask('validate_recv_signal', 5, 'c.d', 'S')],
      [true, false],
    );
    assert.deepEqual(
      [await ask('validate_send_signal', 5, 'a.b', 'S'), await ask('validate_send_signal', 5, 'c.d', 'S')],
      [false, true],
    );
  });
  test('limits: calls that wait, connections, time to say Hello', async () => {
    await using b = await bed('allow all', [
      '--limit',
      'pendingReplies=2',
      '--limit',
      'connections=2',
      '--limit',
      'greetingS=1',
    ]);
    const guest = await b.bus.connect(b.guest);
    const slow = [1, 2].map(() => guest.call({ ...manager, member: 'slow' }).catch(() => undefined));
    const third = guest.call({ ...manager, member: 'list_vms' });
    await assert.rejects(third, { errorName: 'org.freedesktop.DBus.Error.LimitsExceeded' });
    const silent = connect(b.socket);
    await once(silent, 'connect');
    const tooMany = connect(b.socket);
    await once(tooMany.resume(), 'close');
    await b.broker.logged(/a connection too many/);
    await once(silent.resume(), 'close');
    await b.broker.logged(/did not authenticate and say Hello in 1 s/);
    await guest.close();
    await Promise.all(slow);
  });
  test('hostile bytes close the connection that sent them, and no other', async () => {
    await using b = await bed(`allow destination ${xenmgr}`);
    const guest = await b.bus.connect(b.guest);
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      '\0AUTH EXTERNAL 30\r\nBEGIN\r\nl\x01\0\x01\xff\xff\xff\xff\x01\0\0\0\0\0\0\0',
      `\0${'A'.repeat(500)}`,
    ]) {
      const hostile = connect(b.socket);
      hostile.write(Buffer.from(bytes, 'latin1'));
      await once(hostile.resume(), 'close');
    }
    assert.deepEqual(await guest.call({ ...manager, member: 'list_vms' }), [[vmPath]]);
    await b.broker.logged(/what D-Bus does not allow: a message of 4294967311 bytes/);
  });
  test('TCP on loopback; the host itself is not filtered; another bus', async () => {
    await using b = await bed('deny all');
    const port = 20_000 + (process.pid % 10_000);
    await b.bus.daemon('rpc-broker', [
      '-b',
      b.bus.address,
      '-w',
      '-d',
      '7',
      '-l',
      `tcp:${port}`,
      '-i',
      `unix:${b.socket}0,domid=0`,
    ]);
    for (const address of [`tcp:host=127.0.0.1,port=${port}`, `unix:path=${b.socket}0`]) {
      const guest = await b.bus.connect(address);
      assert.deepEqual(await guest.call({ ...manager, member: 'list_vms' }), [[vmPath]]);
    }
  });
  test('what cannot be is refused at the start', async () => {
    await using bus = await privateBus();
    const rules = join(bus.folder, 'rules');
    writeFileSync(rules, 'allow all\npermit x\n');
    const start = (...args: string[]) => bus.daemon('rpc-broker', ['-r', rules, ...args]);
    await assert.rejects(start('-l', 'unix:/tmp/x,domid=1'), /rules:2:1: permit: a rule begins with allow or deny/);
    await assert.rejects(start('-l', 'unix:/tmp/x'), /whose it is must be said/);
    await assert.rejects(start('-l', 'tcp:0.0.0.0:5,domid=1'), /nothing can be listened on at/);
    await assert.rejects(start(), /nowhere to listen/);
    await assert.rejects(start('-b', 'unix:/nowhere', '-l', 'unix:/tmp/x,domid=1'), /cannot be reached/);
  });
  test('it ends with the bus, and at SIGTERM', async () => {
    await using b = await bed('allow all');
    const other = await b.bus.daemon('rpc-broker', ['--xenstore', 'none', '-w', '-l', `unix:${b.socket}1,domid=3`]);
    assert.equal(await other.end('SIGTERM'), 0);
    await b.bus.stop();
    assert.equal(await b.broker.gone, 1);
    assert.match(b.broker.log(), /"ends".*the bus hung up/);
  });
});
