/** Errors of the API: thrown by name with named parameters, put in wire order from the declaration, translated once per boundary. */
import { errors } from './error-codes.ts';

export { errors };
export type Code = keyof typeof errors;
type ParamNames<C extends Code> = (typeof errors)[C]['params'] extends readonly (infer N extends string)[] ? N : never;
export type ErrorParams<C extends Code> = (typeof errors)[C]['params'] extends null
  ? readonly string[]
  : { readonly [N in ParamNames<C>]: string | number };

/** A failure that the API declares. `wire` is `[code, …parameters]` in declared order. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly wire: readonly string[];

  private constructor(wire: readonly string[], options?: ErrorOptions) {
    super(wire.join(' '), options);
    this.wire = wire;
  }
  get code(): string {
    return this.wire[0] ?? 'INTERNAL_ERROR';
  }
  /** With parameters by name, so that no caller can get their order wrong. */
  static of<C extends Code>(code: C, params: ErrorParams<C>, options?: ErrorOptions): ApiError {
    const names: readonly string[] | null = errors[code].params;
    const given = params as readonly string[] & Readonly<Record<string, string | number>>;
    const values = names ? names.map((n) => String(given[n] ?? '')) : [...given];
    return new ApiError([code, ...values], options);
  }
  /** As it came over a wire, or with a code that plugins made up (`SR_BACKEND_FAILURE_44`). */
  static fromWire(wire: readonly string[], options?: ErrorOptions): ApiError {
    return new ApiError(wire, options);
  }
}

/** Throws an `ApiError`: `throw fail('UUID_INVALID', { type: 'VM', uuid })` reads as one statement. */
export const fail = <C extends Code>(code: C, params: ErrorParams<C>, options?: ErrorOptions): ApiError =>
  ApiError.of(code, params, options);

/** Why something may not be done, told only when asked: guards run far more often than their errors are read. */
export type Refusal = () => ApiError;
/** `fail`, put off. */
export const refusal =
  <C extends Code>(code: C, params: ErrorParams<C>): Refusal =>
  () =>
    ApiError.of(code, params);

/** Anything thrown, as an API error: what is not declared becomes `INTERNAL_ERROR` and keeps its cause. */
export const toApiError = (e: unknown): ApiError =>
  e instanceof ApiError
    ? e
    : ApiError.of('INTERNAL_ERROR', { message: e instanceof Error ? e.message : String(e) }, { cause: e });
