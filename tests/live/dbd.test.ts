/** dbd on a real bus: real clients, the commands, guests through the broker, kill -9. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BusConnection } from '../../src/bus/connection.ts';
import { databaseName } from '../../src/dbd/service.ts';
import { type Ended, run, without } from './clients/program.ts';
import { cannotBus, type PrivateBus, privateBus } from './private-bus.ts';
import { uuid } from './rpc-broker-bed.ts';

const skip = cannotBus() ?? false;
const root = join(import.meta.dirname, '../..');
const dbd = (bus: PrivateBus, ...args: string[]) =>
  bus.daemon('dbd', ['--data', join(bus.folder, 'data'), '--xenstore', 'none', ...args]);
const ask = async (from: BusConnection, member: string, ...args: string[]) => {
  const to = { destination: databaseName, path: '/', interface: databaseName, member };
  const [answer] = await from.call({ ...to, signature: 's'.repeat(args.length), args });
  return answer;
};
/** `db-NAME ARGS` on this bus: what it printed. */
async function command(bus: PrivateBus, name: string, ...args: string[]): Promise<Ended & { readonly text: string }> {
  const ended = await run(join(root, 'bin', `db-${name}`), args, { env: { DBUS_SYSTEM_BUS_ADDRESS: bus.address } });
  return { ...ended, text: ended.out.toString() };
}

describe('dbd on a real bus', { skip }, () => {
  test('the commands', async () => {
    await using bus = await privateBus();
    await dbd(bus);
    const says = async (expected: string, name: string, ...args: string[]) => {
      const { text, err } = await command(bus, name, ...args);
      assert.deepEqual([text, err], [expected, ''], `db-${name} ${args.join(' ')}`);
    };
    await says('', 'write', '/xenmgr/overwrite-ndvm-settings', 'false');
    await says('false\n', 'read', '/xenmgr/overwrite-ndvm-settings');
    await says('', 'inject', '/a', '{"b":{"c":"1"},"d":2}');
    await says('xenmgr =\n overwrite-ndvm-settings = "false"\na =\n b =\n  c = "1"\n d = "2"\n', 'ls');
    await says('/a/b =\n/a/b/c = "1"\n/a/d = "2"\n', 'ls', '-f', '/a');
    await says('b d\n', 'nodes', '/a');
    await says('true\n', 'exists', '/a/d');
    await says('', 'rm', '/a/b');
    await says('false\n', 'exists', '/a/b');
    await says('{\n  "d": 2\n}\n', 'dump', '/a');
    // A database of OpenXT's, as its files have it.
    const env = { DBUS_SYSTEM_BUS_ADDRESS: bus.address };
    const moved = await run(join(root, 'bin/db-inject'), [`/vm/${uuid}`], {
      env,
      input: '{"name":"win","config":{"memory":"512"}}',
    });
    assert.deepEqual([moved.code, moved.err], [0, '']);
    await says('name config\n', 'nodes', `/vm/${uuid}`);
    for (const [args, why] of [
      [['write', '/vm/', 'x'], 'Nope, not doing that.\n'],
      [['rm', '/'], 'bad path\n'],
      [['read'], 'Usage: db-cmd <cmd> <parameters>\n'],
      [['cat', '/a/d'], '/a/d: not a binary node\n'],
    ] as const) {
      const [name, ...rest] = args;
      const { code, err } = await command(bus, name, ...rest);
      assert.deepEqual([code, err], [1, why], name);
    }
  });
  test('busctl, gdbus and dbus-send', {
    skip: without({ systemd: 'busctl', 'libglib2.0-bin': 'gdbus', 'dbus-bin': 'dbus-send' }),
  }, async () => {
    await using bus = await privateBus();
    await dbd(bus);
    const say = async (program: string, ...args: string[]) => {
      const { code, out, err } = await run(program, args);
      assert.equal(code, 0, err);
      return out.toString();
    };
    await say('busctl', `--address=${bus.address}`, 'call', databaseName, '/', databaseName, 'write', 'ss', '/k', 'v');
    const at = ['--address', bus.address, '--dest', databaseName, '--object-path', '/'];
    assert.equal(await say('gdbus', 'call', ...at, '--method', `${databaseName}.read`, '/k'), "('v',)\n");
    const sent = await say(
      'dbus-send',
      `--bus=${bus.address}`,
      '--print-reply=literal',
      `--dest=${databaseName}`,
      '/',
      `${databaseName}.list`,
      'string:/',
    );
    assert.match(sent, /array \[\s+k\s+\]/);
    const shown = await say('busctl', `--address=${bus.address}`, 'introspect', databaseName, '/', databaseName);
    for (const line of ['.read_binary +method +s +ay', '.inject +method +ss +-', '.exists +method +s +b'])
      assert.match(shown, new RegExp(line));
    assert.match(await say('gdbus', 'introspect', ...at), /list\(in\s+s path,\s+out as value\)/);
  });
  test('a guest through the broker has a tree of its own, within limits', async () => {
    await using bus = await privateBus();
    await dbd(bus);
    const [rules, socket] = [join(bus.folder, 'rules'), join(bus.folder, 'guest')];
    writeFileSync(rules, `deny all\nallow destination ${databaseName}\n`);
    const channels = ['-l', `unix:${socket},domid=5,uuid=${uuid}`, '-l', `unix:${socket}6,domid=6`];
    await bus.daemon('rpc-broker', ['--xenstore', 'none', '-r', rules, ...channels]);
    const host = await bus.connect();
    const guest = await bus.connect(`unix:path=${socket}`);
    await ask(host, 'write', '/secret', 'x');
    await ask(guest, 'write', 'k', 'v');
    assert.equal(await ask(host, 'read', `/dom-store/${uuid}/k`), 'v');
    assert.deepEqual(await ask(guest, 'list', '/'), ['k']);
    assert.equal(await ask(guest, 'exists', '/../../secret'), false);
    assert.equal(await ask(guest, 'read', '/secret'), '');
    await ask(guest, 'rm', '/');
    assert.equal(await ask(host, 'read', '/secret'), 'x');
    const large = 'x'.repeat(600_000);
    await ask(guest, 'write', '/1', large);
    await assert.rejects(ask(guest, 'write', '/2', large), { errorName: 'org.freedesktop.DBus.Error.LimitsExceeded' });
    const nobody = await bus.connect(`unix:path=${socket}6`);
    await assert.rejects(ask(nobody, 'read', '/k'), { errorName: 'org.freedesktop.DBus.Error.AccessDenied' });
  });
  test('files below /dom-store are read, not changed', async () => {
    await using bus = await privateBus();
    const folder = join(bus.folder, 'files');
    mkdirSync(join(folder, uuid), { recursive: true });
    const file = join(folder, uuid, 'icon');
    writeFileSync(file, Buffer.from([0, 1, 255]));
    const daemon = await dbd(bus, '--files', folder);
    const host = await bus.connect();
    const node = `/dom-store/${uuid}/icon`;
    assert.equal(await ask(host, 'read', node), `file:${file}`);
    assert.deepEqual((await command(bus, 'cat', node)).out, Buffer.from([0, 1, 255]));
    assert.deepEqual(await ask(host, 'list', `/dom-store/${uuid}`), ['icon']);
    for (const [member, ...args] of [
      ['write', node, 'x'],
      ['write', `${node}/below`, 'x'],
      ['inject', node, '1'],
      ['rm', node],
    ] as const)
      await assert.rejects(ask(host, member, ...args), /is the file .*not changed from here/);
    writeFileSync(join(folder, uuid, 'new'), 'n');
    daemon.child.kill('SIGHUP');
    await daemon.logged(/looked for files again/);
    assert.deepEqual(await ask(host, 'list', `/dom-store/${uuid}`), ['icon', 'new']);
  });
  test('kill -9: what was answered is there, the order of children too', async () => {
    await using bus = await privateBus();
    for (let round = 0; round < 3; round++) {
      const daemon = await dbd(bus);
      const writers = await Promise.all(Array.from({ length: 8 }, () => bus.connect()));
      const answered: string[] = [];
      const work = writers.map(async (writer, w) => {
        for (let n = 0; ; n++) {
          const path = `/kill/${round}/${w}/${n}`;
          try {
            await ask(writer, 'write', path, `${n}`);
            answered.push(path);
          } catch {
            return; // it was killed
          }
          if (answered.length === 200) void daemon.end('SIGKILL');
        }
      });
      await Promise.all([...work, daemon.gone]);
      assert.ok(answered.length >= 200);
      const next = await dbd(bus);
      const host = await bus.connect();
      for (const path of answered) assert.equal(await ask(host, 'read', path), path.split('/').at(-1), path);
      for (const w of writers.keys()) {
        const names = (await ask(host, 'list', `/kill/${round}/${w}`)) as string[];
        assert.deepEqual(
          names,
          names.toSorted((a, b) => Number(a) - Number(b)),
        );
      }
      assert.equal(await next.end('SIGTERM'), 0);
    }
  });
  test('one at a time; it ends with the bus', async () => {
    await using bus = await privateBus();
    const first = await dbd(bus, '--pidfile', join(bus.folder, 'pid'));
    await assert.rejects(
      bus.daemon('dbd', ['--data', join(bus.folder, 'other'), '--xenstore', 'none']),
      /another dbd owns/,
    );
    await assert.rejects(dbd(bus), /in use/);
    await bus.stop();
    assert.equal(await first.gone, 1);
  });
});
