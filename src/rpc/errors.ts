/** What can go wrong between a caller and a contract's implementation behind a socket, and how errors cross it. */
import { ContractError, errorsOf } from '../contracts/contract.ts';
import { ShapeError } from '../contracts/schema.ts';
import type { Message } from './frames.ts';

export const rpcErrors = errorsOf({
  Not_reachable: '{contract} does not answer on {socketPath}: {reason}',
  Connection_lost: 'the connection to {contract} ended during {method}; whether it was done is unknown',
  Closed: 'the connection to {contract} was closed by this side',
  Bad_request: '{reason}',
  Method_unknown: '{contract} has no method {method}',
  Too_many_calls: 'more than {limit} calls are in flight on one connection',
  Too_long: '{method} is {bytes} bytes long; at most {limit} can be sent',
  Cancelled: 'cancelled: {task}',
  Internal_error: '{reason}',
});

/** An error as it crosses the socket. Only contract errors keep their kind; the rest is `Internal_error`. */
export function errorToWire(error: unknown, cancelled: boolean, label: string): Message {
  if (error instanceof ContractError) return { kind: error.kind, args: error.args, message: error.message };
  if (error instanceof ShapeError)
    return errorToWire(rpcErrors.make('Bad_request', { reason: error.message }), false, '');
  if (cancelled) return errorToWire(rpcErrors.make('Cancelled', { task: label }), false, '');
  const reason = error instanceof Error ? error.message : String(error);
  return errorToWire(rpcErrors.make('Internal_error', { reason }), false, '');
}

export function errorFromWire(wire: unknown): ContractError {
  const { kind, args, message } = (wire ?? {}) as Record<string, unknown>;
  const fields = typeof args === 'object' && args !== null ? (args as Record<string, unknown>) : {};
  return new ContractError(String(kind ?? 'Internal_error'), fields, String(message ?? 'no reason was given'));
}
