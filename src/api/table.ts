/** Every message of the API with what runs it: worked out once from the declarations and the handlers. */
import { type Class, lifeState, type Type } from '../datamodel/dsl.ts';
import { fail } from '../datamodel/errors.ts';
import { classes } from '../datamodel/index.ts';
import { allMessages, type FullMessage } from '../datamodel/messages.ts';
import type { Wire } from '../wire/xmlrpc-decode.ts';
import type { Ctx } from './context.ts';
import { decodeAs, decodeConstructor } from './decode.ts';
import { type Args, checkFields, implicit } from './implicit.ts';

/** A handler as dispatch calls it; its declared type was checked where it was registered. */
export type Handler = (ctx: Ctx, args: never) => unknown;
/** Class → message → handler. */
export type Registry = Readonly<Record<string, Readonly<Record<string, Handler | undefined>> | undefined>>;

export interface Entry {
  readonly m: FullMessage;
  readonly cls: Class;
  readonly names: readonly string[];
  readonly types: readonly Type<unknown>[];
  /** How many parameters have no default. */
  readonly required: number;
  readonly removed: boolean;
  /** A session comes first on the wire. */
  readonly session: boolean;
  /** Changes nothing: logged at a lower level. */
  readonly reads: boolean;
  /** Runs on the database alone, at once: no context is made for it. */
  readonly light: boolean;
  run(ctx: Ctx, args: Args): unknown;
}

/** Method name → entry: `VM.start` and `VM_start`. */
export function messageTable(registry: Registry): ReadonlyMap<string, Entry> {
  const table = new Map<string, Entry>();
  for (const cls of Object.values(classes))
    for (const m of allMessages(cls).values()) {
      const e = entry(cls, m, registry[cls.name] ?? {});
      table.set(m.method, e);
      const underscored = `${cls.name}_${m.name}`;
      if (!table.has(underscored)) table.set(underscored, e);
    }
  return table;
}

const readKinds: ReadonlySet<string> = new Set([
  'getter',
  'get_by_uuid',
  'get_by_name_label',
  'get_record',
  'get_all',
  'get_all_records',
  'get_all_where',
  'get_all_records_where',
]);

function entry(cls: Class, m: FullMessage, handlers: Readonly<Record<string, Handler | undefined>>): Entry {
  const types = Object.values(m.params);
  const handler = Object.hasOwn(handlers, m.name) ? handlers[m.name] : undefined;
  const setter = m.field === undefined ? undefined : handlers[`set_${m.field}`];
  const reads = readKinds.has(m.kind);
  return {
    m,
    cls,
    names: Object.keys(m.params),
    types,
    required: types.filter((type) => type.default === undefined).length,
    removed: lifeState(m.life) === 'removed' || lifeState(cls.life) === 'removed',
    session: m.session !== false,
    reads: reads || (m.kind === 'custom' && m.name.startsWith('get_') && m.role === 'read-only'),
    light: !handler && (reads || !setter) && m.kind !== 'custom',
    run: handler ? handled(cls, m, handler) : derived(cls, m, setter),
  };
}
function handled(cls: Class, m: FullMessage, handler: Handler): Entry['run'] {
  if (m.kind !== 'constructor') return (ctx, args) => handler(ctx, args as never);
  return (ctx, args) => {
    checkFields(ctx.db, cls, args['args'] as Args);
    return handler(ctx, args as never);
  };
}
function derived(cls: Class, m: FullMessage, setter: Handler | undefined): Entry['run'] {
  const run = implicit(cls, m);
  const name = m.field as string;
  return (ctx, args) =>
    run(ctx.db, args, (ref, value) =>
      setter
        ? setter(ctx, { self: ref, value } as never)
        : ctx.db.set(cls.name as never, ref, { [name]: value } as never),
    );
}

/** Arguments by name from parameters by place (without the session): checked, with defaults filled in. */
export function decodeArgs(e: Entry, params: readonly Wire[]): Record<string, unknown> {
  const tooMany = params.length > e.names.length && e.required === e.names.length;
  if (params.length < e.required || tooMany)
    throw fail('MESSAGE_PARAMETER_COUNT_MISMATCH', {
      method: e.m.method,
      expected: e.required,
      received: params.length,
    });
  const args: Record<string, unknown> = {};
  for (let i = 0; i < e.names.length; i++) {
    const name = e.names[i] as string;
    const type = e.types[i] as Type<unknown>;
    const wire = params[i];
    if (wire === undefined) args[name] = type.default;
    else if (e.m.kind === 'constructor') args[name] = decodeConstructor(e.cls, wire, name);
    else args[name] = decodeAs(type, wire, name);
  }
  return args;
}
