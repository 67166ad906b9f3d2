/**
 * Interface descriptions as TypeScript: a client with a method for each method, property and signal; for a server what it must do,
 * and how it is put on the bus. The modules need only the room `bus`.
 */
import type {
  IdlArgument,
  IdlEnum,
  IdlInterface,
  IdlMethod,
  IdlNode,
  IdlProperty,
  IdlSignal,
} from '../../../wire/dbus/introspection.ts';
import { type DbusType, parseSignature } from '../../../wire/dbus/signature.ts';
import { argumentNames, lowerCamel, upperCamel } from './names.ts';

export interface Module {
  /** The file that it was made from, without folders. */
  readonly from: string;
  readonly node: IdlNode;
  /** Where the room `bus` is, as an import says it. */
  readonly bus: string;
}
const numbers = 'ynqiudh';

/** The type of values that arrive (`in`: of variants all that is known is nothing) or are sent. */
export function typeOf(type: DbusType, way: 'arrives' | 'sent'): string {
  const inner = (child: DbusType | undefined) => typeOf(child as DbusType, way);
  if (numbers.includes(type.code)) return 'number';
  if (type.code === 'b') return 'boolean';
  if (type.code === 'x' || type.code === 't') return 'bigint';
  if (type.code === 'v') return way === 'sent' ? 'BusVariant' : 'unknown';
  if (type.code === '(') return `readonly [${type.children.map(inner).join(', ')}]`;
  if (type.code !== 'a') return 'string';
  const [element] = type.children as [DbusType];
  if (element.code === 'y') return 'Uint8Array';
  if (element.code !== '{') return `readonly ${grouped(inner(element))}[]`;
  const [key, value] = element.children as [DbusType, DbusType];
  if ('sog'.includes(key.code)) return `Readonly<Record<string, ${inner(value)}>>`;
  return `readonly (readonly [${inner(key)}, ${inner(value)}])[]`;
}
const grouped = (text: string) => (text.startsWith('readonly ') ? `(${text})` : text);
const one = (signature: string, way: 'arrives' | 'sent') => typeOf(parseSignature(signature)[0] as DbusType, way);

const literal = (value: unknown): string =>
  JSON.stringify(value).replace(/\u2028|\u2029/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);
const docLines = (text: string, indent: string) => (text ? `${indent}/** ${text.replaceAll('*/', '*\\/')} */\n` : '');
const parameters = (list: readonly IdlArgument[], way: 'arrives' | 'sent') => {
  const names = argumentNames(list);
  return list.map(({ type }, i) => `${names[i]}: ${one(type, way)}`);
};
const signatureOf = (list: readonly IdlArgument[]) => list.map(({ type }) => type).join('');
/** Nothing, one value, or several in a row. */
function resultOf(out: readonly IdlArgument[], way: 'arrives' | 'sent'): string {
  if (out.length === 0) return 'void';
  const [only, ...more] = out.map(({ type }) => one(type, way));
  return more.length === 0 ? (only as string) : `readonly [${[only, ...more].join(', ')}]`;
}
/** Methods of a class that mean something else to JavaScript. */
const taken: readonly string[] = ['constructor', 'then', 'toString', 'valueOf'];
/** What the methods of a stub are called: those of methods first, then of properties; none twice. */
interface Names {
  readonly method: (name: string) => string;
  readonly get: (name: string) => string;
  readonly set: (name: string) => string;
}
function namesOf({ methods, properties }: IdlInterface): Names {
  const used = new Set(taken);
  const given = (all: readonly { readonly name: string }[], nameOf: (name: string) => string) => {
    const names = new Map<string, string>();
    for (const { name } of all) {
      let found = nameOf(name);
      while (used.has(found)) found += '_';
      used.add(found);
      names.set(name, found);
    }
    return (name: string) => names.get(name) as string;
  };
  return {
    method: given(methods, lowerCamel),
    get: given(properties, (name) => `get${upperCamel(name)}`),
    set: given(properties, (name) => `set${upperCamel(name)}`),
  };
}

const head = ({ from }: Module) =>
  `/** Made by xc-rpcgen from ${from.replaceAll('*/', '')}: change that, and make it again. */\n`;
function imports(body: string, bus: string): string {
  const names = ['BusCaller', 'BusCalls', 'BusInterface', 'BusServer', 'BusVariant'].filter((name) =>
    new RegExp(`\\b${name}\\b`).test(body),
  );
  return names.length === 0 ? '' : `import type { ${names.join(', ')} } from ${literal(`${bus}/interface.ts`)};\n`;
}
function enumText({ name, type, values, doc }: IdlEnum): string {
  const written = (text: string) =>
    'sog'.includes(type) ? literal(text) : 'xt'.includes(type) ? `${text}n` : String(Number(text));
  const lines = values.map(
    ({ suffix, value }) => `  ${suffix}: ${type === 'b' ? String(value === '1') : written(value)},\n`,
  );
  const typeName = upperCamel(name.toLowerCase());
  return `${docLines(doc, '')}export const ${name} = {\n${lines.join('')}} as const;\nexport type ${typeName} = (typeof ${name})[keyof typeof ${name}];\n`;
}

/** The module of a client. */
export function clientModule(module: Module): string {
  const body = [...module.node.enums.map(enumText), ...module.node.interfaces.map(clientText)].join('\n');
  return `${head(module)}${imports(body, module.bus)}\n${body}`;
}
function clientText(each: IdlInterface): string {
  const { name, doc, methods, properties, signals } = each;
  const names = namesOf(each);
  const members = [
    ...methods.map((m) => clientMethod(m, names.method(m.name))),
    ...properties.map((p) => clientProperty(p, names)),
    ...signals.map(clientSignal),
    methods.length > 0 ? methodCall : '',
    properties.length > 0 ? propertyCall : '',
  ].join('');
  const made = members === '' ? emptyClient : clientHead;
  return `${docLines(doc, '')}export class ${upperCamel(name)}Client {
  readonly interfaceName = ${literal(name)};
${made}${members}}\n`;
}
const emptyClient = `
  constructor(_bus: BusCalls, _service: string, _path: string) {}
`;
const clientHead = `  readonly #bus: BusCalls;
  readonly #service: string;
  readonly #path: string;

  constructor(bus: BusCalls, service: string, path: string) {
    this.#bus = bus;
    this.#service = service;
    this.#path = path;
  }
`;
const methodCall = `  #call(member: string, signature: string, ...args: readonly unknown[]): Promise<readonly unknown[]> {
    const to = { destination: this.#service, path: this.#path, interface: this.interfaceName };
    return this.#bus.call({ ...to, member, signature, args });
  }
`;
const propertyCall = `  #property(member: string, signature: string, ...args: readonly unknown[]): Promise<readonly unknown[]> {
    const to = { destination: this.#service, path: this.#path, interface: 'org.freedesktop.DBus.Properties' };
    return this.#bus.call({ ...to, member, signature, args: [this.interfaceName, ...args] });
  }
`;
function clientProperty({ name, type, access, doc }: IdlProperty, names: Names): string {
  const getter = `${docLines(doc, '  ')}  async ${names.get(name)}(): Promise<${one(type, 'arrives')}> {
    return (await this.#property('Get', 'ss', ${literal(name)}))[0] as ${one(type, 'arrives')};
  }\n`;
  const setter = `  async ${names.set(name)}(value: ${one(type, 'sent')}): Promise<void> {
    await this.#property('Set', 'ssv', ${literal(name)}, [${literal(type)}, value]);
  }\n`;
  return `${access === 'write' ? '' : getter}${access === 'read' ? '' : setter}`;
}
function clientSignal({ name, args, doc }: IdlSignal): string {
  const casts = args.map(({ type }, i) => `args[${i}] as ${one(type, 'arrives')}`);
  const list = `(${parameters(args, 'arrives').join(', ')})`;
  return `${docLines(doc, '  ')}  /** Calls \`listener\` for every such signal of this object, from when it answers. */
  on${upperCamel(name)}(listener: ${list} => void): Promise<void> {
    const heard = (${casts.length > 0 ? 'args: readonly unknown[]' : ''}) => listener(${casts.join(', ')});
    return this.#bus.followSignal(this.#service, this.#path, this.interfaceName, ${literal(name)}, heard);
  }\n`;
}
function clientMethod({ name, doc, in: list, out }: IdlMethod, called: string): string {
  const given = [literal(name), literal(signatureOf(list)), ...argumentNames(list)].join(', ');
  const result = resultOf(out, 'arrives');
  const call = `await this.#call(${given})`;
  const body =
    out.length === 0
      ? `${call};`
      : `return (${call})${out.length === 1 ? '[0]' : ''} as ${out.length === 1 ? result : `unknown as ${result}`};`;
  return `${docLines(doc, '  ')}  async ${called}(${parameters(list, 'sent').join(', ')}): Promise<${result}> {\n    ${body}\n  }\n`;
}

/** The module of a server. */
export function serverModule(module: Module): string {
  const body = [...module.node.enums.map(enumText), ...module.node.interfaces.map(serverText)].join('\n');
  return `${head(module)}${imports(body, module.bus)}\n${body}`;
}
function serverText(each: IdlInterface): string {
  const { name, doc, methods, properties, signals } = each;
  const camel = upperCamel(name);
  const names = namesOf(each);
  const wanted = [
    ...methods.map((m) => {
      const result = resultOf(m.out, 'sent');
      const list = [...parameters(m.in, 'arrives'), 'caller: BusCaller'].join(', ');
      return `${docLines(m.doc, '  ')}  ${names.method(m.name)}(${list}): ${result} | Promise<${result}>;\n`;
    }),
    ...properties.map((p) => wantedProperty(p, names)),
  ];
  const handlers = methods.map((m) => methodHandler(m, names.method(m.name)));
  const tables = properties.length > 0 ? propertyTables(properties, names) : '';
  const byName =
    '{ get: (name, caller) => get[name]?.(caller), set: (name, value, caller) => set[name]?.(value, caller) }';
  return `export const ${lowerCamel(name)}: BusInterface = ${declaration(each)};
${docLines(doc, '')}export interface ${camel}Server {\n${wanted.join('')}}
/** Serves it at a path; the answer ends it. */
export function serve${camel}(bus: BusServer, path: string, ${wanted.length > 0 ? 'server' : '_server'}: ${camel}Server): () => void {
${tables}  return bus.serve(
    path,
    ${lowerCamel(name)},
    {\n${handlers.join('')}    },\n${properties.length > 0 ? `    ${byName},\n` : ''}  );
}
${signals.map((s) => notifier(s, name)).join('')}`;
}
function wantedProperty({ name, type, access, doc }: IdlProperty, names: Names): string {
  const sent = one(type, 'sent');
  const getter = `${docLines(doc, '  ')}  ${names.get(name)}(caller: BusCaller): ${sent} | Promise<${sent}>;\n`;
  const setter = `  ${names.set(name)}(value: ${one(type, 'arrives')}, caller: BusCaller): void | Promise<void>;\n`;
  return `${access === 'write' ? '' : getter}${access === 'read' ? '' : setter}`;
}
function methodHandler({ name, in: list, out }: IdlMethod, called: string): string {
  const casts = list.map(({ type }, i) => `args[${i}] as ${one(type, 'arrives')}`);
  const call = `await server.${called}(${[...casts, 'caller'].join(', ')})`;
  const nothing = `{\n        ${call};\n        return [];\n      }`;
  const result = out.length === 0 ? nothing : out.length === 1 ? `[${call}]` : call;
  return `      ${literal(name)}: async (${list.length > 0 ? 'args' : '_'}, caller) => ${result},\n`;
}
/** Properties by their names; the room asks only for those that are declared so. */
function propertyTables(properties: readonly IdlProperty[], names: Names): string {
  const getters = properties
    .filter((p) => p.access !== 'write')
    .map((p) => `    ${literal(p.name)}: (caller) => server.${names.get(p.name)}(caller),\n`);
  const setters = properties
    .filter((p) => p.access !== 'read')
    .map(
      (p) =>
        `    ${literal(p.name)}: (value, caller) => server.${names.set(p.name)}(value as ${one(p.type, 'arrives')}, caller),\n`,
    );
  return `  const get: Readonly<Record<string, (caller: BusCaller) => unknown>> = {\n${getters.join('')}  };
  const set: Readonly<Record<string, (value: unknown, caller: BusCaller) => void | Promise<void>>> = {\n${setters.join('')}  };\n`;
}
/** A function that sends a signal. */
function notifier({ name, args, doc }: IdlSignal, of: string): string {
  // The object's path comes first; a signal may have an argument of that name.
  const list = args.map((arg) => (lowerCamel(arg.name) === 'path' ? { ...arg, name: 'its_path' } : arg));
  const taking = ['bus: BusServer', 'path: string', ...parameters(list, 'sent')].join(', ');
  const given = [literal(of), literal(name), literal(signatureOf(args)), `[${argumentNames(list).join(', ')}]`].join(
    ', ',
  );
  return `${docLines(doc, '')}export function notify${upperCamel(of)}${upperCamel(name)}(${taking}): void {
  bus.emit(path, ${given});
}\n`;
}
function declaration({ name, methods, signals, properties }: IdlInterface): string {
  const list = (all: readonly IdlArgument[]) =>
    `[${all.map((a) => `{ name: ${literal(a.name)}, type: ${literal(a.type)} }`).join(', ')}]`;
  const methodLines = methods.map((m) => `    ${literal(m.name)}: { in: ${list(m.in)}, out: ${list(m.out)} },\n`);
  const signalLines = signals.map((s) => `    ${literal(s.name)}: ${list(s.args)},\n`);
  const propertyLines = properties.map(
    (p) => `    ${literal(p.name)}: { type: ${literal(p.type)}, access: ${literal(p.access)} },\n`,
  );
  const part = (key: string, lines: readonly string[]) =>
    lines.length === 0 && key !== 'methods' ? '' : `  ${key}: {\n${lines.join('')}  },\n`;
  return `{\n  name: ${literal(name)},\n${part('methods', methodLines)}${part('signals', signalLines)}${part('properties', propertyLines)}}`;
}
