/** D-Bus interfaces declared as values: what is served and called derives from them, introspection too. */
import dbus from 'dbus-native';

export interface BusArgument {
  readonly name: string;
  /** A D-Bus signature of one complete type. */
  readonly type: string;
}
export interface BusMethod {
  readonly in: readonly BusArgument[];
  readonly out: readonly BusArgument[];
}
export interface BusInterface {
  readonly name: string;
  readonly methods: Readonly<Record<string, BusMethod>>;
  readonly signals?: Readonly<Record<string, readonly BusArgument[]>>;
  readonly properties?: Readonly<Record<string, BusProperty>>;
}
export interface BusProperty {
  readonly type: string;
  readonly access: 'read' | 'write' | 'readwrite';
}
/** Who called: the connection's unique name, which the bus vouches for. */
export interface BusCaller {
  readonly sender: string;
}
/** What an interface does: one function a method, taking its arguments, answering its results in order. */
export type BusHandlers = Readonly<
  Record<string, (args: readonly unknown[], caller: BusCaller) => readonly unknown[] | Promise<readonly unknown[]>>
>;
/** Reads and writes the properties of an interface, by their names; only those are asked for that are declared so. */
export interface BusProperties {
  get(name: string, caller: BusCaller): unknown | Promise<unknown>;
  set(name: string, value: unknown, caller: BusCaller): void | Promise<void>;
}
/** A value with its type, for where any type may be. */
export type BusVariant = dbus.Variant;
export const variant = (signature: string, value: unknown): BusVariant => new dbus.Variant(signature, value);
/** The value with all variants in it taken out of their types. */
export function unwrapped(value: unknown): unknown {
  if (value instanceof dbus.Variant) return unwrapped(value.value);
  if (Array.isArray(value)) return value.map(unwrapped);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unwrapped(each)]));
}
/** What clients need of a connection. */
export interface BusCalls {
  call(call: OutgoingCall): Promise<readonly unknown[]>;
  /** Calls `listener` with the arguments of every such signal of the object, from when it answers. */
  followSignal(
    service: string,
    path: string,
    interfaceName: string,
    member: string,
    listener: (args: readonly unknown[]) => void,
  ): Promise<void>;
}
/** The same, with calls that wait as long as told. */
export const withTimeout = (bus: BusCalls, timeoutMs: number): BusCalls => ({
  call: (call) => bus.call({ ...call, timeoutMs }),
  followSignal: (...rest) => bus.followSignal(...rest),
});
/** What servers need of a connection. */
export interface BusServer {
  /** Serves an interface; the answer ends it. */
  serve(path: string, declared: BusInterface, handlers: BusHandlers, properties?: BusProperties): () => void;
  emit(path: string, interfaceName: string, member: string, signature?: string, args?: readonly unknown[]): void;
}
export interface OutgoingCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly args?: readonly unknown[];
  /** Milliseconds to wait for the answer; 25,000 unless told. */
  readonly timeoutMs?: number;
}
/** Declares a method: `method('path:s', 'value:s')` takes and answers one string each. */
export const method = (taken: string, answered = ''): BusMethod => ({ in: args(taken), out: args(answered) });
/** Declares arguments: `name:signature` each, with blanks between them. */
export const args = (text: string): BusArgument[] =>
  text.split(' ').flatMap((each) => {
    const [name, type] = each.split(':');
    return name && type ? [{ name, type }] : [];
  });
export const signatureOf = (list: readonly BusArgument[]): string => list.map((each) => each.type).join('');

/** A failure with a D-Bus error name. */
export class BusError extends Error {
  override readonly name = 'BusError';
  readonly errorName: string;
  constructor(errorName: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errorName = errorName;
  }
}
const standard = 'org.freedesktop.DBus.Error';
export const busErrors = {
  failed: `${standard}.Failed`,
  accessDenied: `${standard}.AccessDenied`,
  serviceUnknown: `${standard}.ServiceUnknown`,
  noOwner: `${standard}.NameHasNoOwner`,
  unknownObject: `${standard}.UnknownObject`,
  unknownInterface: `${standard}.UnknownInterface`,
  unknownMethod: `${standard}.UnknownMethod`,
  unknownProperty: `${standard}.UnknownProperty`,
  readOnly: `${standard}.PropertyReadOnly`,
  invalidArgs: `${standard}.InvalidArgs`,
  notSupported: `${standard}.NotSupported`,
  limitsExceeded: `${standard}.LimitsExceeded`,
  disconnected: `${standard}.Disconnected`,
  noReply: `${standard}.NoReply`,
} as const;
