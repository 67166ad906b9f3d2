/** Handlers by name: a method of the interface without one does not compile. */
import type { methods } from './methods.ts';
import type { CallContext } from './parts.ts';
import type { ParamsOf, ResultOf } from './shape.ts';

type Methods = typeof methods;
export type MethodName = keyof Methods & string;
type Handler<M> = (c: CallContext, params: ParamsOf<M>) => ResultOf<M> | Promise<ResultOf<M>>;
export type Handlers<N extends MethodName> = { readonly [K in N]: Handler<Methods[K]> };
/** All methods whose names begin so. */
export type HandlersOf<N extends string> = Handlers<Extract<MethodName, `${N}.${string}`>>;
