/**
 * A connection to a message bus, through dbus-native: calls, signals, and objects that are served.
 *
 *     connecting ──authenticated, Hello answered──▶ open ──close() or the bus ends──▶ closed
 *                                                         (calls in flight fail with Disconnected)
 */
import dbus from 'dbus-native';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import {
  type BusCalls,
  BusError,
  type BusHandlers,
  type BusInterface,
  type BusProperties,
  type BusServer,
  busErrors,
  type OutgoingCall,
  unwrapped,
} from './interface.ts';
import { BusObjects } from './objects.ts';

export interface BusSignal {
  readonly sender: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly args: readonly unknown[];
}
export interface BusOptions {
  /** As D-Bus writes addresses: `unix:path=/run/dbus/system_bus_socket`. */
  readonly address: string;
  readonly clock: Clock;
  readonly log: Log;
}
/** Where the system's bus is: `$DBUS_SYSTEM_BUS_ADDRESS`, or its usual socket. */
export const systemBus = (env: NodeJS.ProcessEnv): string =>
  env['DBUS_SYSTEM_BUS_ADDRESS'] || 'unix:path=/run/dbus/system_bus_socket';
/** Where the session's bus is; undefined when there is none. */
export const sessionBus = (env: NodeJS.ProcessEnv): string | undefined => env['DBUS_SESSION_BUS_ADDRESS'] || undefined;

const theBus = {
  destination: 'org.freedesktop.DBus',
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
};
const usualTimeoutMs = 25_000;

/** Connects. Throws when nobody answers there or the bus takes no such peer. */
export async function connectBus(options: BusOptions): Promise<BusConnection> {
  const { address } = options;
  const raw = dbus.createConnection({ busAddress: address, plainValues: true, variants: 'wrap', returnBigInt: true });
  try {
    await new Promise<void>((resolve, reject) => {
      raw.once('connect', resolve);
      raw.once('error', reject);
      raw.once('close', () => reject(new Error('it hung up')));
    });
  } catch (cause) {
    raw.on('error', () => undefined); // what follows the first failure says no more
    raw.end();
    throw new Error(`the bus at ${address} cannot be reached: ${(cause as Error).message}`, { cause });
  }
  const connection = new BusConnection(raw, options);
  await connection.hello();
  return connection;
}

interface Pending {
  resolve(args: readonly unknown[]): void;
  reject(error: BusError): void;
}

export class BusConnection implements BusCalls, BusServer {
  /** The unique name, such as `:1.7`. */
  name = '';
  readonly objects = new BusObjects();
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  readonly #raw: dbus.DBusConnection;
  readonly #options: BusOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(signal: BusSignal) => void>();
  #serial = 0;
  #open = true;

  constructor(raw: dbus.DBusConnection, options: BusOptions) {
    this.#raw = raw;
    this.#options = options;
    raw.on('message', (message) => this.#received(message));
    raw.on('error', (error) => options.log.warn('the connection to the bus failed', { error: error.message }));
    this.closed = new Promise((resolve) => {
      raw.on('close', () => {
        this.#end();
        resolve();
      });
    });
  }
  async hello(): Promise<void> {
    [this.name] = (await this.call({ ...theBus, member: 'Hello' })) as [string];
  }
  /** The results of a method. BusError: what the callee answered, NoReply after the timeout, Disconnected. */
  call(call: OutgoingCall): Promise<readonly unknown[]> {
    const { timeoutMs = usualTimeoutMs, args = [], signature = '', ...rest } = call;
    return new Promise((resolve, reject) => {
      if (!this.#open) return reject(new BusError(busErrors.disconnected, 'the connection to the bus is closed'));
      const serial = this.#next();
      const stop = this.#options.clock.after(timeoutMs, () => {
        this.#pending.delete(serial);
        reject(new BusError(busErrors.noReply, `${call.destination} did not answer ${call.member} in ${timeoutMs} ms`));
      });
      this.#pending.set(serial, {
        resolve: (values) => {
          stop();
          resolve(values);
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      });
      this.#send({ type: dbus.messageType.methodCall, serial, ...rest, ...bodyOf(signature, args) });
    });
  }
  /** A method of the bus itself. */
  bus(member: string, signature = '', ...args: readonly unknown[]): Promise<readonly unknown[]> {
    return this.call({ ...theBus, member, signature, args });
  }
  /** Serves an interface; the answer ends it. */
  serve(path: string, declared: BusInterface, handlers: BusHandlers, properties?: BusProperties): () => void {
    return this.objects.add(path, declared, handlers, properties);
  }
  /** Takes a name, or stands in line for it (`queue`); whether it is owned now. */
  async own(name: string, options: { readonly queue?: boolean } = {}): Promise<boolean> {
    const doNotQueue = 4;
    const [answer] = await this.bus('RequestName', 'su', name, options.queue ? 0 : doNotQueue);
    return answer === 1 || answer === 4;
  }
  /** Delivers signals that fit `rule` (a D-Bus match rule) from when it answers; what else arrives is delivered too. */
  async follow(rule: string, listener: (signal: BusSignal) => void): Promise<void> {
    this.#listeners.add(listener);
    await this.bus('AddMatch', 's', rule);
  }
  /** As `follow`, of one signal of one object. Whose signal it is is known by the unique name that the service has now. */
  async followSignal(
    service: string,
    path: string,
    interfaceName: string,
    member: string,
    listener: (args: readonly unknown[]) => void,
  ): Promise<void> {
    const owners = await this.#ownersOf(service);
    const rule = `type='signal',sender='${service}',path='${path}',interface='${interfaceName}',member='${member}'`;
    await this.follow(rule, (signal) => {
      if (signal.path !== path || signal.interface !== interfaceName || signal.member !== member) return;
      if (owners.has(signal.sender)) listener(signal.args);
    });
  }
  /** The unique name that has a name, kept current. */
  async #ownersOf(service: string): Promise<ReadonlySet<string>> {
    const owners = new Set<string>([service]);
    const from = theBus.destination;
    await this.follow(
      `type='signal',sender='${from}',interface='${from}',member='NameOwnerChanged',arg0='${service}'`,
      ({ sender, member, args: [name, before, now] }) => {
        if (sender !== from || member !== 'NameOwnerChanged' || name !== service) return;
        owners.delete(before as string);
        if (now !== '') owners.add(now as string);
      },
    );
    const owner = await this.bus('GetNameOwner', 's', service).catch((error: BusError) => {
      if (error.errorName !== busErrors.noOwner) throw error;
    });
    if (owner) owners.add(owner[0] as string);
    return owners;
  }
  emit(path: string, name: string, member: string, signature = '', args: readonly unknown[] = []): void {
    const type = dbus.messageType.signal;
    this.#send({ type, serial: this.#next(), path, interface: name, member, ...bodyOf(signature, args) });
  }
  async close(): Promise<void> {
    this.#raw.end();
    await this.closed;
  }
  #next(): number {
    this.#serial = (this.#serial % 0xffffffff) + 1;
    return this.#serial;
  }
  #send(message: dbus.Message): void {
    if (this.#open) this.#raw.message(message);
  }
  #received(message: dbus.Message): void {
    const { methodCall, methodReturn, error, signal } = dbus.messageType;
    if (message.type === methodReturn || message.type === error) this.#answered(message);
    else if (message.type === methodCall) void this.#asked(message);
    else if (message.type === signal) this.#signalled(message);
  }
  #answered(message: dbus.Message): void {
    const pending = this.#pending.get(message.replySerial ?? 0);
    if (!pending) return;
    this.#pending.delete(message.replySerial ?? 0);
    const { body = [] } = message;
    if (message.type === dbus.messageType.methodReturn) pending.resolve(plain(message));
    else pending.reject(new BusError(message.errorName ?? busErrors.failed, body.length > 0 ? String(body[0]) : ''));
  }
  #signalled(message: dbus.Message): void {
    const { sender = '', path = '', interface: name = '', member = '' } = message;
    for (const listener of this.#listeners) listener({ sender, path, interface: name, member, args: plain(message) });
  }
  async #asked(message: dbus.Message): Promise<void> {
    const { sender = '', path = '', interface: name, member = '', signature = '', body = [], serial = 0 } = message;
    const noReplyExpected = 1;
    const wanted = ((message.flags ?? 0) & noReplyExpected) === 0;
    const reply = { destination: sender, replySerial: serial };
    try {
      const result = await this.objects.call({ sender, path, interface: name, member, signature, args: body });
      const type = dbus.messageType.methodReturn;
      if (wanted) this.#send({ type, serial: this.#next(), ...reply, ...bodyOf(result.signature, result.values) });
    } catch (error) {
      const { errorName, message: why } = error instanceof BusError ? error : this.#unexpected(error, member);
      const type = dbus.messageType.error;
      if (wanted) this.#send({ type, serial: this.#next(), ...reply, errorName, ...bodyOf('s', [why]) });
    }
  }
  #unexpected(error: unknown, member: string): BusError {
    this.#options.log.error('a call failed', { member, error: String(error), stack: (error as Error).stack });
    return new BusError(busErrors.failed, (error as Error).message, { cause: error });
  }
  #end(): void {
    this.#open = false;
    for (const { reject } of this.#pending.values())
      reject(new BusError(busErrors.disconnected, 'the connection to the bus was lost'));
    this.#pending.clear();
  }
}
/** What a message carries, variants as their values. Calls keep dbus-native's: who is called may want to know their types. */
const plain = ({ body = [], signature = '' }: dbus.Message): readonly unknown[] =>
  signature.includes('v') ? body.map(unwrapped) : body;
const bodyOf = (signature: string, args: readonly unknown[]) =>
  signature === '' ? {} : { signature, body: [...args] };
