/** What one daemon may ask of another: methods and events declared as values, the same in one process and over a socket. */
import type { Schema, Shape } from './schema.ts';

export interface Method {
  readonly doc: string;
  readonly args: Schema<unknown>;
  readonly result: Schema<unknown>;
}
export type Methods = Readonly<Record<string, Readonly<Record<string, Method>>>>;
export interface Contract {
  readonly name: string;
  readonly methods: Methods;
  /** What `watch` delivers. */
  readonly event: Schema<unknown>;
}
export const contract = <const C extends Contract>(c: C): C => c;
export const method = <A, R>(doc: string, args: Schema<A>, result: Schema<R>) => ({ doc, args, result });

/** What a caller passes beside the arguments: who asks, how to stop it, where progress goes. */
export interface Call {
  /** Shown in logs: the task that the work is for. */
  readonly label?: string;
  /** Aborting asks the work to stop; it ends with the error kind `Cancelled` or, too late to stop, with its result. */
  readonly signal?: AbortSignal;
  /** Called with 0..1. */
  readonly progress?: (fraction: number) => void;
}
/** A contract as an object to call: `storage.vdi.create({…}, { signal })`. */
export type Api<C extends Contract> = {
  readonly [N in keyof C['methods']]: {
    readonly [M in keyof C['methods'][N]]: (
      args: Shape<C['methods'][N][M]['args']>,
      call?: Call,
    ) => Promise<Shape<C['methods'][N][M]['result']>>;
  };
} & {
  /** Delivers events from now on, in order; the answer stops it. */
  watch(listener: (event: Shape<C['event']>) => void): () => void;
};

/** A failure that a contract declares: a kind and its named arguments. It crosses sockets unchanged. */
export class ContractError extends Error {
  override readonly name = 'ContractError';
  readonly kind: string;
  readonly args: Readonly<Record<string, unknown>>;
  constructor(kind: string, args: Readonly<Record<string, unknown>>, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.args = args;
  }
}
/** A contract's errors: kind → the sentence, with `{argument}` filled in. */
export function errorsOf<const E extends Readonly<Record<string, string>>>(sentences: E) {
  return {
    sentences,
    /** Makes the error; every `{name}` in its sentence is taken from `args`. */
    make(kind: keyof E & string, args: Readonly<Record<string, unknown>> = {}, options?: ErrorOptions): ContractError {
      const text = (sentences[kind] ?? kind).replace(/\{(\w+)\}/g, (_, name: string) => String(args[name]));
      return new ContractError(kind, args, text, options);
    },
  };
}
export const isKind = (e: unknown, kind: string): e is ContractError => e instanceof ContractError && e.kind === kind;
