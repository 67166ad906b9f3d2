/** Stubs that xc-rpcgen makes, at work on a real bus: client and server of one description with everything in it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type BusCalls, type BusServer, variant } from '../../src/bus/interface.ts';
import { run } from './clients/program.ts';
import { cannotBus, privateBus } from './private-bus.ts';

const root = join(import.meta.dirname, '../..');
const description = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
<node name="/" xmlns:tp="http://telepathy.freedesktop.org/wiki/DbusSpec#extensions-v0">
  <tp:enum name="RUN_STATE" type="s"><tp:enumvalue suffix="ON" value="on"/><tp:enumvalue suffix="OFF" value="off"/></tp:enum>
  <interface name="org.example.all_things">
    <tp:docstring>All of it. */ Even this.</tp:docstring>
    <tp:enum name="LEVEL" type="x"><tp:enumvalue suffix="LOW" value="-1"/></tp:enum>
    <method name="echo_all">
      <arg name="bytes" type="ay"/><arg name="map" type="a{sv}"/><arg name="numbers" type="a{ut}"/><arg type="(sb)"/><arg name="class" type="d"/>
      <arg type="ay" direction="out"/><arg type="a{sv}" direction="out"/><arg type="a{ut}" direction="out"/><arg type="(sb)" direction="out"/><arg type="d" direction="out"/>
    </method>
    <method name="delete"/>
    <method name="get_state"><arg name="s" type="s" direction="out"/></method>
    <method name="who"><arg name="s" type="s" direction="out"/></method>
    <property name="state" type="s" access="readwrite"/>
    <property name="max-size" type="x" access="read"/>
    <signal name="changed"><arg name="path" type="o"/><arg name="what" type="as"/></signal>
  </interface>
</node>
`;
interface Client {
  echoAll(...args: unknown[]): Promise<readonly unknown[]>;
  delete(): Promise<void>;
  getState(): Promise<string>;
  getState_(): Promise<string>;
  setState(state: string): Promise<void>;
  getMaxSize(): Promise<bigint>;
  who(): Promise<string>;
  onChanged(listener: (path: string, what: readonly string[]) => void): Promise<void>;
}
interface ClientModule {
  readonly RUN_STATE: unknown;
  readonly LEVEL: unknown;
  readonly OrgExampleAllThingsClient: new (bus: BusCalls, service: string, path: string) => Client;
}
interface ServerModule {
  serveOrgExampleAllThings(bus: BusServer, path: string, server: object): () => void;
  notifyOrgExampleAllThingsChanged(bus: BusServer, path: string, its: string, what: readonly string[]): void;
}
const rpcgen = (...args: string[]) => run(join(root, 'bin/xc-rpcgen'), args);

test('client and server, over the bus', { skip: cannotBus() ?? false }, async () => {
  await using bus = await privateBus();
  const file = join(bus.folder, 'all_things.xml');
  writeFileSync(file, description);
  for (const side of ['-c', '-s']) {
    const { code, err } = await rpcgen(
      '--typescript',
      side,
      '-o',
      bus.folder,
      '--module-prefix',
      join(root, 'src/bus'),
      file,
    );
    assert.deepEqual([code, err], [0, '']);
  }
  const load = (name: string) => import(pathToFileURL(join(bus.folder, name)).href);
  const server = (await load('all-things-server.ts')) as ServerModule;
  const { OrgExampleAllThingsClient, ...rest } = (await load('all-things-client.ts')) as ClientModule;
  assert.deepEqual({ ...rest }, { RUN_STATE: { ON: 'on', OFF: 'off' }, LEVEL: { LOW: -1n } });

  const [there, here] = [await bus.connect(), await bus.connect()];
  let [state, deleted] = ['on', 0];
  const stop = server.serveOrgExampleAllThings(there, '/x', {
    echoAll: (bytes: Uint8Array, map: unknown, numbers: unknown, pair: unknown, d: number) => [
      bytes,
      map,
      numbers,
      pair,
      d,
    ],
    delete: () => deleted++,
    getState: () => 'method',
    who: (caller: { sender: string }) => caller.sender,
    getState_: () => state,
    setState: (to: string) => {
      state = to;
    },
    getMaxSize: async () => 1n << 60n,
  });
  await there.own('org.example.things');
  const client = new OrgExampleAllThingsClient(here, 'org.example.things', '/x');
  const given = [Buffer.from([1, 2]), { a: variant('s', 'x'), b: variant('u', 5) }, [[1, 2n ** 63n]], ['s', true], 0.5];
  assert.deepEqual(await client.echoAll(...given), [Buffer.from([1, 2]), { a: 'x', b: 5 }, given[2], given[3], 0.5]);
  await client.delete();
  assert.equal(deleted, 1);
  assert.equal(await client.who(), here.name);
  await client.setState('off');
  assert.deepEqual(
    [await client.getState(), await client.getState_(), await client.getMaxSize()],
    ['method', 'off', 1n << 60n],
  );
  await assert.rejects(here.bus('GetNameOwner', 's', 'a.b'), {
    errorName: 'org.freedesktop.DBus.Error.NameHasNoOwner',
  });

  const heard = new Promise((resolve) => void client.onChanged((path, what) => resolve([path, what])));
  await here.bus('GetId'); // what was asked before is set by now
  const other = await bus.connect();
  await client.who();
  other.emit('/x', 'org.example.all_things', 'changed', 'oas', ['/forged', []]);
  await other.bus('GetId');
  server.notifyOrgExampleAllThingsChanged(there, '/x', '/changed', ['a']);
  assert.deepEqual(await heard, ['/changed', ['a']]);
  stop();
  await assert.rejects(client.who(), { errorName: 'org.freedesktop.DBus.Error.UnknownObject' });
});

describe('xc-rpcgen: what it refuses', () => {
  const refused: readonly [string, string[], RegExp][] = [
    ['another target', ['--haskell', 'x.xml'], /--haskell is not made here; --typescript is/],
    ['no target', ['x.xml'], /C is not made here/],
    ['no file', ['--typescript'], /one FILE\.xml is wanted/],
    ['a file that is not there', ['--typescript', '/nowhere.xml'], /ENOENT/],
    ['a bad option', ['--colour'], /Unknown option.*\nusage:/s],
    [
      'no XML',
      ['--typescript', join(import.meta.dirname, 'xc-rpcgen.test.ts')],
      /xc-rpcgen\.test\.ts:[0-9]+:[0-9]+: node: /,
    ],
  ];
  for (const [name, args, why] of refused)
    test(name, async () => {
      const { code, err } = await rpcgen(...args);
      assert.equal(code, 1);
      assert.match(err, why);
    });
});
