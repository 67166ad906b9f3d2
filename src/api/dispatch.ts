/**
 * The one way into the API: method and parameters in, value out. In this order: known, not removed, arity, types, session,
 * pool-only, role, task, operation, place, then the handler; what it wrote is durable before the answer. One audit line per call.
 */
import { nullRef, type Type, t } from '../datamodel/dsl.ts';
import { ApiError, fail, toApiError } from '../datamodel/errors.ts';
import type { ClassName } from '../datamodel/index.ts';
import { put, type Wire, xmlValue } from '../wire/xmlrpc.ts';
import type { Ctx, House, Services, TaskHandle } from './context.ts';
import { decodeAs } from './decode.ts';
import type { Args } from './implicit.ts';
import { holding } from './operations.ts';
import { assertHere } from './placement.ts';
import { encodeResult, plainResult } from './prebuilt.ts';
import { assertMessage, assertRole } from './rbac.ts';
import type { Caller } from './routes.ts';
import { type LiveSession, nobody } from './sessions.ts';
import { decodeArgs, type Entry, messageTable, type Registry } from './table.ts';

export interface Answer {
  readonly type: Type<unknown>;
  /** Plain, or `Prebuilt`. */
  readonly value: unknown;
  /** XML-RPC: the value stands alone, without a status. */
  readonly bare?: boolean;
}
interface Call {
  readonly caller: Caller;
  readonly session: LiveSession;
  readonly entry: Entry;
  readonly args: Args;
}
const taskType = t.ref('task');
const strings = t.set(t.string);
const sessionType = t.ref('session');

export class Dispatcher {
  readonly #house: House;
  readonly #server: Services;
  readonly #table: ReadonlyMap<string, Entry>;
  readonly #methods: readonly string[];

  constructor(house: House, server: Services, registry: Registry) {
    this.#house = house;
    this.#server = server;
    this.#table = messageTable(registry);
    const names = [...this.#table.values()].map((e) => e.m.method);
    this.#methods = [...new Set(names), 'system.isAlive', 'system.listMethods'];
  }

  /** `params` as on the wire, the session first. Failures are `ApiError`s. */
  async call(caller: Caller, method: string, params: readonly Wire[]): Promise<Answer> {
    if (method.startsWith('system.')) return this.#system(method, params);
    const async = asyncName.exec(method);
    const call = this.#admitted(caller, method, async, params);
    return async ? this.#later(call, method) : this.#now(call);
  }
  /** The call, once it may be made. What is refused here leaves its line in the log too. */
  #admitted(caller: Caller, method: string, async: RegExpExecArray | null, params: readonly Wire[]): Call {
    try {
      return this.#unmarshal(caller, this.#entry(method, async), params);
    } catch (error) {
      const { code } = toApiError(error);
      // a denied call has left its line already, with the name of who made it
      if (code !== 'RBAC_PERMISSION_DENIED')
        this.#house.log.info('call', { method: method.slice(0, 100), from: caller.address, error: code });
      throw error;
    }
  }
  #entry(method: string, async: RegExpExecArray | null): Entry {
    const name = async ? (async[1] as string) : method;
    const entry = this.#table.get(name);
    if (!entry || (async && !name.includes('.')))
      throw fail('MESSAGE_METHOD_UNKNOWN', { method: method.slice(0, 100) });
    if (entry.removed) throw fail('MESSAGE_REMOVED', {});
    if (async && entry.m.sync) throw ApiError.fromWire(['Fault', `${name} has no asynchronous form`]);
    return entry;
  }
  #unmarshal(caller: Caller, entry: Entry, params: readonly Wire[]): Call {
    const { sessions } = this.#server;
    if (!entry.session) return { caller, session: nobody, entry, args: decodeArgs(entry, params) };
    const [first, ...rest] = params;
    if (first === undefined) {
      const { method } = entry.m;
      throw fail('MESSAGE_PARAMETER_COUNT_MISMATCH', { method, expected: entry.required, received: 0 });
    }
    const args = decodeArgs(entry, rest);
    const ref = decodeAs(sessionType, first, 'session_id') as string;
    const call = { caller, session: sessions.get(ref), entry, args };
    try {
      this.#authorise(call);
    } catch (error) {
      throw this.#failed(call, performance.now(), error);
    }
    return call;
  }
  #authorise({ session, entry, args }: Call): void {
    const { m } = entry;
    if (m.poolInternal && !session.pool)
      throw fail('RBAC_PERMISSION_DENIED', {
        permission: m.method.toLowerCase(),
        message: 'only hosts of the pool may call this',
      });
    const key = m.keyRoles ? args['key'] : undefined;
    assertMessage(session, m, key === undefined ? undefined : String(key));
  }
  #system(method: string, params: readonly Wire[]): Answer {
    if (method === 'system.listMethods') return { type: strings, value: this.#methods, bare: true };
    if (method === 'system.isAlive' || method.startsWith('system.isAlive:'))
      return { type: t.string, value: String(params[0] ?? '') };
    throw fail('MESSAGE_METHOD_UNKNOWN', { method: method.slice(0, 100) });
  }

  async #now(call: Call): Promise<Answer> {
    const { db } = this.#house;
    const { entry } = call;
    const before = db.revision;
    const started = performance.now();
    try {
      let value = entry.light
        ? entry.run(this.#house as Ctx, call.args)
        : this.#run(call, this.#server.tasks.dummy(entry.m.method));
      if (value instanceof Promise) value = await value;
      // whoever sees a task's end must find it so after a restart
      if (db.revision !== before || entry.cls.name === 'task') await db.durable();
      this.#audit(call, started, undefined);
      return { type: entry.m.result, value };
    } catch (error) {
      throw this.#failed(call, started, error);
    }
  }
  /** Makes a task and answers it; the work goes on behind it. */
  async #later(call: Call, label: string): Promise<Answer> {
    const { db, tasks } = { db: this.#house.db, tasks: this.#server.tasks };
    const ref = tasks.create({ label, session: call.session.ref });
    const started = performance.now();
    const { result } = call.entry.m;
    const work = (task: TaskHandle) => Promise.resolve(this.#run(call, task));
    tasks
      .run(ref, work, (value) => resultText(result, value))
      .then(
        () => this.#audit(call, started, undefined, ref),
        (error) => this.#failed(call, started, error, ref),
      );
    await db.durable();
    return { type: taskType, value: ref };
  }
  #run(call: Call, task: TaskHandle): unknown {
    const { entry, args } = call;
    const { m } = entry;
    const { db, host } = this.#house;
    const ctx = this.#context(call, task);
    if (m.runsOn) assertHere(db, host, m, args);
    const held = m.op === undefined ? undefined : entry.types[0];
    if (held?.kind !== 'ref') return entry.run(ctx, args);
    const ref = args[entry.names[0] as string] as string;
    const o = { cls: held.cls as ClassName, ref, op: m.op as string, task: task.ref, quiet: m.quiet };
    return holding(db, o, async () => entry.run(ctx, args));
  }
  #context(call: Call, task: TaskHandle): Ctx {
    const { session, caller, entry } = call;
    return {
      ...this.#house,
      session,
      caller,
      task,
      server: this.#server,
      method: entry.m.method,
      assertRole: (permission, role) => assertRole(session, permission, role),
      call: (method, args) => this.#nested(call, task, method, args),
    };
  }
  /** A call that a handler makes: same session and task, no role check, no audit line. */
  async #nested(outer: Call, task: TaskHandle, method: string, given: Args): Promise<unknown> {
    const entry = this.#table.get(method);
    if (!entry) throw fail('MESSAGE_METHOD_UNKNOWN', { method });
    if (entry.removed) throw fail('MESSAGE_REMOVED', {});
    const args: Record<string, unknown> = {};
    for (const [i, name] of entry.names.entries()) {
      const value = given[name] ?? entry.types[i]?.default;
      if (value === undefined) throw fail('INTERNAL_ERROR', { message: `${method} was called without ${name}` });
      put(args, name, value);
    }
    return plainResult(await this.#run({ ...outer, entry, args }, task));
  }

  #audit(call: Call, started: number, error: ApiError | undefined, task?: string): void {
    const { log } = this.#house;
    const { entry, session, caller } = call;
    const fields = {
      method: entry.m.method,
      track: session.trackId,
      user: session.user || call.args['uname'],
      originator: session.originator,
      from: caller.address,
      object: objectOf(call),
      ms: Math.round((performance.now() - started) * 10) / 10,
      ...(task === undefined ? {} : { task }),
      ...(error ? { error: error.code } : {}),
    };
    if (entry.reads && !error) log.debug('call', fields);
    else log.info('call', fields);
  }
  #failed(call: Call, started: number, thrown: unknown, task?: string): ApiError {
    const error = toApiError(thrown);
    this.#audit(call, started, error, task);
    if (error.code === 'INTERNAL_ERROR' && error.cause !== undefined) {
      const cause = error.cause instanceof Error ? (error.cause.stack ?? String(error.cause)) : String(error.cause);
      this.#house.log.error('a call failed unexpectedly', { method: call.entry.m.method, cause });
    }
    return error;
  }
}

const asyncName = /^(?:Async|InternalAsync)\.(.*)$/;

/** What the call is about, for the log: its first parameter when that is a reference, but never a session. */
function objectOf({ entry, args }: Call): string | undefined {
  const type = entry.types[0];
  if (type?.kind !== 'ref' || type.cls === 'session' || type.secret) return undefined;
  const ref = args[entry.names[0] as string];
  return ref === nullRef ? undefined : String(ref).slice(0, 80);
}
/** The result of a task: XML-RPC text, whatever the client speaks. */
function resultText(type: Type<unknown>, value: unknown): string {
  if (type.kind === 'void') return xmlValue(type, undefined);
  return encodeResult('xml', type, value).map(String).join('');
}
