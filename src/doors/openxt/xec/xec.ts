/** `xec`: calls methods and properties of services on the bus, as their introspection describes them. */
import type { OutgoingCall } from '../../../bus/interface.ts';
import {
  type IdlArgument,
  type IdlInterface,
  type IdlMethod,
  type IdlProperty,
  parseIntrospection,
} from '../../../wire/dbus/introspection.ts';
import type { XecOptions } from './options.ts';
import { dictionaryLines, parseValue, valueLines } from './value.ts';

export const usage = `usage: xec [options] [get P | set P VALUE | getall | METHOD ARG...]

  -s, --service NAME     bus name (com.citrix.xenclient.xenmgr)
  -o, --object PATH      object (/)
  -i, --interface NAME   interface; without it the first that has the member
  -g, --get P            the same as get P;  -x, --set P VALUE: as set
  --bus ADDRESS          a bus by its address, such as unix:path=/run/guests/5 of a broker
  --session              the session's bus instead of the system's
  --list-interfaces, --list-methods, --list-properties   names, one a line
  -q, --query            terse
  -h, --help             this text

Values: true, -1, 0.5, text; within others: 'text' or "text", [v, v] for lists and structs, {k : v} for dictionaries.
`;
/** What the commands need of the world. */
export interface XecIo {
  call(call: OutgoingCall): Promise<readonly unknown[]>;
  line(text: string): void;
}
/** It is not there, or not so; status 1. */
export class XecRefusal extends Error {
  override readonly name = 'XecRefusal';
}
/** Some calls take long: a VM is made, diagnostics are gathered. */
const timeoutMs = 600_000;
const properties = 'org.freedesktop.DBus.Properties';
type Target = Pick<XecOptions, 'service' | 'object' | 'interface'>;

/** The interfaces of an object; only the one that was asked for, if one was. */
export async function interfacesOf(
  io: XecIo,
  { service, object, interface: only }: Target,
): Promise<readonly IdlInterface[]> {
  const to = { destination: service, path: object, interface: 'org.freedesktop.DBus.Introspectable' };
  const [text] = await io.call({ ...to, member: 'Introspect', timeoutMs });
  const { interfaces } = parseIntrospection(`${service} ${object}`, String(text));
  if (only === undefined) return interfaces;
  const found = interfaces.filter((each) => each.name === only);
  if (found.length === 0) throw new XecRefusal(`${service} ${object} has no interface ${only}`);
  return found;
}
function memberOf<T extends { readonly name: string }>(
  { service, object }: Target,
  interfaces: readonly IdlInterface[],
  what: string,
  name: string,
  of: (each: IdlInterface) => readonly T[],
): { readonly interface: string; readonly member: T } {
  for (const each of interfaces) {
    const member = of(each).find((m) => m.name === name);
    if (member) return { interface: each.name, member };
  }
  throw new XecRefusal(`${service} ${object} has no ${what} ${name}`);
}
const methodsOf = (each: IdlInterface): readonly IdlMethod[] => each.methods;
const propertiesOf = (each: IdlInterface): readonly IdlProperty[] => each.properties;

/** The value of a property, which its interface is found for. */
export async function getProperty(
  io: XecIo,
  target: Target,
  name: string,
): Promise<{ readonly type: string; readonly value: unknown }> {
  const found = memberOf(target, await interfacesOf(io, target), 'property', name, propertiesOf);
  const to = { destination: target.service, path: target.object, interface: properties, timeoutMs };
  const [value] = await io.call({ ...to, member: 'Get', signature: 'ss', args: [found.interface, name] });
  return { type: found.member.type, value };
}
async function setProperty(io: XecIo, target: Target, name: string, text: string): Promise<void> {
  const found = memberOf(target, await interfacesOf(io, target), 'property', name, propertiesOf);
  const { type } = found.member;
  const to = { destination: target.service, path: target.object, interface: properties, timeoutMs };
  const args = [found.interface, name, [type, parseValue(type, text)]];
  await io.call({ ...to, member: 'Set', signature: 'ssv', args });
}
/** Calls a method with arguments as text; answers its results with their types. */
export async function callMethod(
  io: XecIo,
  target: Target,
  name: string,
  texts: readonly string[],
): Promise<readonly (readonly [type: string, value: unknown])[]> {
  const found = memberOf(target, await interfacesOf(io, target), 'method', name, methodsOf);
  const { in: taken, out } = found.member;
  if (taken.length !== texts.length)
    throw new XecRefusal(`${name} takes ${taken.length} arguments${namesOf(taken)}, not ${texts.length}`);
  const args = taken.map(({ type }, i) => parseValue(type, texts[i] as string));
  const signature = taken.map(({ type }) => type).join('');
  const to = { destination: target.service, path: target.object, interface: found.interface, timeoutMs };
  const values = await io.call({ ...to, member: name, signature, args });
  return out.map(({ type }, i) => [type, values[i]] as const);
}
const namesOf = (list: readonly IdlArgument[]) =>
  list.length === 0 ? '' : ` (${list.map(({ name, type }) => `${name || '?'}: ${type}`).join(', ')})`;

export async function runXec(options: XecOptions, io: XecIo): Promise<void> {
  const { work } = options;
  const say = (lines: readonly string[]) => {
    for (const line of lines) io.line(line);
  };
  switch (work.kind) {
    case 'get': {
      const { type, value } = await getProperty(io, options, work.property);
      return say(valueLines(type, value));
    }
    case 'set':
      return setProperty(io, options, work.property, work.value);
    case 'call':
      for (const [type, value] of await callMethod(io, options, work.method, work.args)) say(valueLines(type, value));
      return;
    case 'getall':
      return getAll(options, io);
    case 'list-interfaces':
      return say((await interfacesOf(io, options)).map((each) => each.name));
    case 'list-methods':
      return say((await interfacesOf(io, options)).flatMap((each) => each.methods.map((m) => m.name)));
    case 'list-properties':
      return say((await interfacesOf(io, options)).flatMap((each) => each.properties.map((p) => p.name)));
    default:
      return say((await interfacesOf(io, options)).flatMap((each) => (options.quiet ? tersely(each) : shown(each))));
  }
}
async function getAll(options: XecOptions, io: XecIo): Promise<void> {
  for (const each of await interfacesOf(io, options)) {
    if (!each.properties.some((p) => p.access !== 'write')) continue;
    const to = { destination: options.service, path: options.object, interface: properties, timeoutMs };
    const [values] = await io.call({ ...to, member: 'GetAll', signature: 's', args: [each.name] });
    io.line(each.name);
    for (const line of dictionaryLines(Object.entries(values as object))) io.line(line);
  }
}
const tersely = (each: IdlInterface): string[] =>
  [...each.methods, ...each.signals, ...each.properties].map((m) => m.name);
function shown({ name, methods, signals, properties: all }: IdlInterface): string[] {
  const list = (of: readonly IdlArgument[]) => of.map((a) => (a.name ? `${a.name}:${a.type}` : a.type)).join(', ');
  return [
    name,
    ...methods.map((m) => `  method ${m.name}(${list(m.in)})${m.out.length > 0 ? ` -> ${list(m.out)}` : ''}`),
    ...signals.map((s) => `  signal ${s.name}(${list(s.args)})`),
    ...all.map((p) => `  property ${p.name}:${p.type} ${p.access}`),
  ];
}
