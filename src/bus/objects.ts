/** The objects that a connection serves: paths, their interfaces, and what a call of one does. */
import { readFileSync } from 'node:fs';
import dbus from 'dbus-native';
import {
  type BusCaller,
  BusError,
  type BusHandlers,
  type BusInterface,
  type BusProperties,
  busErrors,
  signatureOf,
  unwrapped,
} from './interface.ts';
import { introspection, standardInterfaces } from './introspect.ts';

interface Served {
  readonly declared: BusInterface;
  readonly handlers: BusHandlers;
  readonly properties?: BusProperties | undefined;
}
/** What an incoming call asks for. */
export interface IncomingCall extends BusCaller {
  readonly path: string;
  readonly interface: string | undefined;
  readonly member: string;
  readonly signature: string;
  readonly args: readonly unknown[];
}
export interface Result {
  readonly signature: string;
  readonly values: readonly unknown[];
}

export class BusObjects {
  readonly #objects = new Map<string, Map<string, Served>>();

  /** Serves an interface at a path; the answer ends it. */
  add(path: string, declared: BusInterface, handlers: BusHandlers, properties?: BusProperties): () => void {
    const object = this.#objects.get(path) ?? new Map<string, Served>();
    this.#objects.set(path, object.set(declared.name, { declared, handlers, properties }));
    return () => {
      object.delete(declared.name);
      if (object.size === 0) this.#objects.delete(path);
    };
  }
  /** Does what is asked. BusError with the standard's name where nothing of that name is served. */
  async call(call: IncomingCall): Promise<Result> {
    const { declared, handlers } = this.#find(call);
    const own = Object.hasOwn(declared.methods, call.member) && Object.hasOwn(handlers, call.member);
    const [method, handler] = own ? [declared.methods[call.member], handlers[call.member]] : [];
    if (!method || !handler)
      throw new BusError(busErrors.unknownMethod, `${declared.name} has no method ${JSON.stringify(call.member)}`);
    const wanted = signatureOf(method.in);
    if (call.signature !== wanted)
      throw new BusError(
        busErrors.invalidArgs,
        `${declared.name}.${call.member} takes arguments of the types "${wanted}", not "${call.signature}"`,
      );
    return { signature: signatureOf(method.out), values: await handler(call.args, { sender: call.sender }) };
  }
  #find(call: IncomingCall): Served {
    const object = this.#objects.get(call.path);
    const { introspectable, peer, properties } = standardInterfaces;
    const standard: readonly Served[] = [
      { declared: introspectable, handlers: { Introspect: () => [this.#introspect(call.path)] } },
      { declared: peer, handlers: { Ping: () => [], GetMachineId: () => [machineId()] } },
    ];
    const has = [...(object?.values() ?? [])].some((each) => each.properties);
    const ofProperties = has ? [{ declared: properties, handlers: propertyHandlers(object ?? new Map()) }] : [];
    const all = [...(object?.values() ?? []), ...ofProperties, ...standard];
    const found = all.find(({ declared }) =>
      call.interface === undefined ? Object.hasOwn(declared.methods, call.member) : declared.name === call.interface,
    );
    // Nodes on the way to an object can be introspected.
    if (found && (object || this.#children(call.path).length > 0 || found.declared === peer)) return found;
    if (!object) throw new BusError(busErrors.unknownObject, `there is no object ${call.path}`);
    if (call.interface === undefined)
      throw new BusError(busErrors.unknownMethod, `${call.path} has no method ${JSON.stringify(call.member)}`);
    throw new BusError(busErrors.unknownInterface, `${call.path} has no interface ${JSON.stringify(call.interface)}`);
  }
  #children(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    const below = [...this.#objects.keys()].filter((each) => each !== path && each.startsWith(prefix));
    return [...new Set(below.map((each) => each.slice(prefix.length).split('/')[0] as string))];
  }
  #introspect(path: string): string {
    const own = [...(this.#objects.get(path)?.values() ?? [])].map(({ declared }) => declared);
    const { introspectable, peer, properties } = standardInterfaces;
    const served = own.some((each) => each.name === properties.name) || !own.some((each) => each.properties);
    const standard = served ? [introspectable, peer] : [properties, introspectable, peer];
    return introspection([...own, ...standard], this.#children(path));
  }
}
/** The standard's calls for the properties of an object's interfaces. An empty name of an interface means any. */
function propertyHandlers(object: ReadonlyMap<string, Served>): BusHandlers {
  const find = (of: unknown, name: unknown) => {
    const served = [...object.values()].filter(({ declared }) => of === '' || declared.name === of);
    if (served.length === 0) throw new BusError(busErrors.unknownInterface, `there is no interface ${of} here`);
    const found = served.find(({ declared }) => Object.hasOwn(declared.properties ?? {}, String(name)));
    const property = found?.declared.properties?.[String(name)];
    if (!found?.properties || !property)
      throw new BusError(busErrors.unknownProperty, `there is no property ${name} of ${of || 'any interface'} here`);
    return { properties: found.properties, property };
  };
  return {
    async Get([of, name], caller) {
      const { properties, property } = find(of, name);
      if (property.access === 'write') throw new BusError(busErrors.accessDenied, `${name} cannot be read`);
      return [[property.type, await properties.get(String(name), caller)]];
    },
    async Set([of, name, value], caller) {
      const { properties, property } = find(of, name);
      if (property.access === 'read') throw new BusError(busErrors.readOnly, `${name} cannot be written`);
      const given = value instanceof dbus.Variant ? value : undefined;
      if (given?.signature !== property.type)
        throw new BusError(busErrors.invalidArgs, `${name} has the type ${property.type}, not ${given?.signature}`);
      await properties.set(String(name), unwrapped(given), caller);
      return [];
    },
    async GetAll([of], caller) {
      const served = [...object.values()].filter(({ declared }) => of === '' || declared.name === of);
      if (served.length === 0) throw new BusError(busErrors.unknownInterface, `there is no interface ${of} here`);
      const all: [string, [string, unknown]][] = [];
      for (const { declared, properties } of served)
        for (const [name, { type, access }] of Object.entries(declared.properties ?? {}))
          if (properties && access !== 'write') all.push([name, [type, await properties.get(name, caller)]]);
      return [all];
    },
  };
}
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch (cause) {
    throw new BusError(busErrors.failed, 'this machine has no /etc/machine-id', { cause });
  }
}
