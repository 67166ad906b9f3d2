/**
 * Commands that are one message of the API. Each parameter of the message is taken from the command line: by a source in `args`,
 * else by its own name (`host-uuid`, `device-config:…`), else the object that a selector picked, the pool or the host.
 *
 * A source is a parameter's name, alternatives with `|`, `<name` for the content of the file that it names, `/name` for that file's
 * base name, `{a,b}` for a map of those that are given, or `=JSON` for a fixed value.
 */
import { messageNamed } from '../../client/client.ts';
import type { Type } from '../../datamodel/dsl.ts';
import { allMessages, constructorFields } from '../../datamodel/messages.ts';
import { type Params, XeError } from './arguments.ts';
import type { Item } from './cells.ts';
import type { Command } from './commands.ts';
import { classOf, type Reader, type Rec } from './reader.ts';
import { select, theHost, thePool } from './select.ts';
import type { Shown } from './table.ts';
import { emptyValue, mapFrom, valueFrom } from './values.ts';
import type { Work } from './work.ts';

/** Files that travel inside a call: certificates, licences, answer files. */
const maxFile = 4 * 1024 * 1024;

export const ownNames = (command: Command): string[] => [...command.required, ...command.optional];

/** Runs a command that declares `call`. */
export async function runCall(work: Work, command: Command): Promise<void> {
  const { request, reader } = work;
  const method = (request.force && command.forced) || command.call || '';
  if (command.confirm) await work.confirm(command.confirm);
  const picked: (Item | undefined)[] = command.select
    ? await select(reader, command.select, request, ownNames(command))
    : [undefined];
  const results = await Promise.all(
    picked.map(async (item) => work.run(method, await callArguments(work, command, method, item))),
  );
  for (const result of results) await printResult(work, messageNamed(method).result, result);
}

export async function callArguments(
  work: Work,
  command: Command,
  method: string,
  item: Item | undefined,
): Promise<Record<string, unknown>> {
  const message = messageNamed(method);
  const args: Record<string, unknown> = {};
  let first = true;
  for (const [name, type] of Object.entries(message.params)) {
    const value = await argument(work, command, { name, type, cls: message.cls, first }, item);
    if (value !== undefined) args[name] = value;
    first = false;
  }
  return args;
}

interface Wanted {
  readonly name: string;
  readonly type: Type<unknown>;
  readonly cls: string;
  readonly first: boolean;
}

async function argument(work: Work, command: Command, wanted: Wanted, item: Item | undefined): Promise<unknown> {
  const { reader, request } = work;
  const { name, type } = wanted;
  const source = command.args?.[name];
  if (source === undefined && wanted.first && item && type.kind === 'ref' && type.cls === command.select)
    return item.ref;
  if (type.kind === 'record') return recordArgument(reader, command, request.params, type.cls ?? '');
  const given = await fromSource(work, source ?? ownName(command, wanted) ?? '', type);
  if (given !== undefined) return given;
  if (type.kind === 'ref' && type.cls === 'pool') return (await thePool(reader)).ref;
  if (type.kind === 'ref' && type.cls === 'host') return item ? item.ref : theHost(reader);
  if (type.default !== undefined) return undefined;
  const empty = emptyValue(type);
  if (empty === undefined) throw new XeError(`Missing parameter: ${source ?? name}=`, [['parameter', source ?? name]]);
  return empty;
}

const bare = (s: string) => s.replaceAll(/[-_:]/g, '').toLowerCase();
/** The command's parameter that has the name of the message's: `SR` is `sr-uuid`, `self` is `uuid`. */
function ownName(command: Command, { name, first, type }: Wanted): string | undefined {
  const own = ownNames(command);
  const same = own.find((n) => bare(n) === bare(name)) ?? own.find((n) => bare(n) === `${bare(name)}uuid`);
  return same ?? (first && type.kind === 'ref' && own.includes('uuid') ? 'uuid' : undefined);
}

async function fromSource(work: Work, source: string, type: Type<unknown>): Promise<unknown> {
  const { reader, request } = work;
  const { params } = request;
  if (source === '') return undefined;
  if (source.startsWith('=')) return JSON.parse(source.slice(1));
  if (source.startsWith('<')) return loaded(work, source.slice(1));
  if (source.startsWith('/')) return params.need(source.slice(1)).split('/').at(-1);
  if (source.startsWith('{')) {
    const names = source.slice(1, -1).split(',');
    return Object.fromEntries(names.flatMap((n) => (params.has(n) ? [[n, params.get(n)]] : [])));
  }
  if (source.endsWith(':')) return mapFrom(reader, type, source.slice(0, -1), params.map(source.slice(0, -1)));
  const name = source.split('|').find((n) => params.has(n));
  if (name === undefined) {
    if (source.includes('|')) throw new XeError(`Missing parameter: ${source.replaceAll('|', '= or ')}=`);
    return undefined;
  }
  return valueFrom(reader, type, name, params.get(name) ?? '');
}

async function loaded(work: Work, name: string): Promise<string | undefined> {
  const file = work.request.params.get(name);
  if (file === undefined) return undefined;
  const bytes = await work.screen.load(file, maxFile);
  if (!bytes) throw new XeError(`The file ${JSON.stringify(file)} could not be read`, [['parameter', name]]);
  return bytes.toString('utf8');
}

/** The struct of a `create`, from parameters with the names of its fields. */
export async function recordArgument(
  reader: Reader,
  command: Command,
  params: Params,
  cls: string,
): Promise<Record<string, unknown>> {
  const out: Record<string, unknown> = {};
  for (const { name, field, required } of constructorFields(classOf(cls))) {
    const own = ownNames(command);
    const source =
      own.find((n) => bare(n) === bare(name)) ??
      own.find((n) => bare(n) === `${bare(name)}uuid` || bare(n) === bare(name).replace(/s$/, 'uuids'));
    if (source?.endsWith(':'))
      out[name] = await mapFrom(reader, field.type, source.slice(0, -1), params.map(source.slice(0, -1)));
    else if (source !== undefined && params.has(source))
      out[name] = await valueFrom(reader, field.type, source, params.get(source) ?? '');
    else if (required) {
      const empty = emptyValue(field.type);
      if (empty !== undefined) out[name] = empty;
    }
  }
  return out;
}

async function printResult(work: Work, type: Type<unknown>, value: unknown): Promise<void> {
  if (type.kind === 'void') return;
  if (type.kind === 'record') return work.printTables([pairs(value as Rec)]);
  if (type.kind === 'set' && type.of?.kind === 'record') return work.printTables((value as readonly Rec[]).map(pairs));
  const { shown, json } = await work.reader.show(type, value);
  if (work.request.json) return work.printCell({ shown, json });
  if (typeof shown === 'string') return work.print(shown);
  if (shown instanceof Map) return work.printTables([[...(shown as ReadonlyMap<string, string>)]]);
  return work.printList([...(shown as Exclude<Shown, string>).values()]);
}

const pairs = (record: Rec): [string, string][] =>
  Object.entries(record).map(([k, v]) => [k, typeof v === 'object' ? JSON.stringify(v) : String(v)]);

/** Whether the data model has the message, so that a declaration cannot name one that does not exist. */
export const hasMessage = (method: string): boolean => {
  const [cls = '', name = ''] = method.split('.');
  return allMessages(classOf(cls)).has(name);
};
