/** D-Bus interfaces declared as values: what is served and called derives from them, introspection too. */

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
