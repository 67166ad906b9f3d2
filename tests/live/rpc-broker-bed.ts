/** What rpc-broker's tests share: rules, a manager and a database on the bus, real clients. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BusConnection } from '../../src/bus/connection.ts';
import { args, BusError, type BusInterface, method } from '../../src/bus/interface.ts';
import { run } from './clients/program.ts';

export const uuid = '11111111-2222-3333-4444-555555555551';
export const xenmgr = 'com.citrix.xenclient.xenmgr';
const vectors = join(import.meta.dirname, '../conformance/rpc-broker/vectors.json');
/** The rule file of the Xen Wiki's page, word for word. */
export const seedRules = (
  JSON.parse(readFileSync(vectors, 'utf8')) as { rulesets: { seed: string[] } }
).rulesets.seed.join('\n');

const managerInterface: BusInterface = {
  name: xenmgr,
  methods: { list_vms: method('', 'paths:ao'), delete: method(''), slow: method('') },
  signals: { vm_config_changed: args('uuid:s obj_path:o') },
};
const properties: BusInterface = {
  name: 'org.freedesktop.DBus.Properties',
  methods: { Get: method('interface:s property:s', 'value:v') },
};
const database: BusInterface = {
  name: 'com.citrix.xenclient.db',
  methods: { read: method('path:s', 'value:s'), list: method('path:s', 'names:as'), exists: method('path:s', 'is:b') },
};
export const vmPath = `/vm/${uuid.replaceAll('-', '_')}`;

/** A manager with one VM, whose properties `has`; `done` hears of what was called. */
export async function serveManager(
  bus: BusConnection,
  has: Record<string, [type: string, value: unknown]>,
  done: (member: string) => void = () => undefined,
): Promise<void> {
  const noted = (member: string, values: readonly unknown[]) => () => {
    done(member);
    return values;
  };
  bus.serve('/', managerInterface, {
    list_vms: noted('list_vms', [[vmPath]]),
    delete: noted('delete', []),
    slow: () => new Promise(() => undefined),
  });
  bus.serve(vmPath, properties, {
    Get: ([, name]) => {
      const value = has[String(name)];
      if (!value) throw new BusError('org.freedesktop.DBus.Error.UnknownProperty', `no property ${name}`);
      return [value];
    },
  });
  await bus.own(xenmgr);
}
/** A database with these leaves. */
export async function serveDatabase(bus: BusConnection, leaves: Readonly<Record<string, string>>): Promise<void> {
  const below = (folder: string) =>
    Object.keys(leaves).flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []));
  bus.serve('/', database, {
    read: ([path]) => [leaves[String(path)] ?? ''],
    list: ([path]) => [below(String(path))],
    exists: ([path]) => [String(path) in leaves],
  });
  await bus.own('com.citrix.xenclient.db');
}

/** A call by each of the field's command-line clients, at a socket. */
export const clients: Readonly<Record<string, (socket: string, member: string) => ReturnType<typeof run>>> = {
  busctl: (socket, member) => run('busctl', [`--address=unix:path=${socket}`, 'call', xenmgr, '/', xenmgr, member]),
  gdbus: (socket, member) =>
    run('gdbus', [
      'call',
      '--address',
      `unix:path=${socket}`,
      '--dest',
      xenmgr,
      '--object-path',
      '/',
      '--method',
      `${xenmgr}.${member}`,
    ]),
  'dbus-send': (socket, member) =>
    run('dbus-send', [`--bus=unix:path=${socket}`, '--print-reply', `--dest=${xenmgr}`, '/', `${xenmgr}.${member}`]),
};
