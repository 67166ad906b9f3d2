/**
 * Named queues between daemons. A message stays in its queue until it is acknowledged: whoever takes it and dies before that
 * leaves it to the next one (at least once). The order of a queue is kept. A persistent queue outlives sessions and restarts
 * of the switch; a transient one goes with its session. Implemented in memory over a store, over HTTP, and over NATS.
 */
import { errorsOf } from './contract.ts';

/** The queue, and the number of the message in it, from 0. */
export type MessageId = readonly [queue: string, n: number];
/** Whether an answer is wanted, and in which queue; or which request is answered. */
export type MessageKind = { readonly request: string } | { readonly response: MessageId };
export interface Message {
  readonly payload: string;
  readonly kind: MessageKind;
}
export interface Delivered {
  readonly id: MessageId;
  readonly message: Message;
}
export interface TransferRequest {
  readonly queues: readonly string[];
  /** `next` of the transfer before; without it from the beginning: what was taken and not acknowledged comes again. */
  readonly from?: string | undefined;
  /** How long to wait when there is nothing, in seconds. */
  readonly timeoutS: number;
  readonly signal?: AbortSignal;
}
export interface Transfer {
  readonly messages: readonly Delivered[];
  readonly next: string;
}
export type Durability = 'persistent' | 'transient';

/** One who is logged in. Its transient queues go when it closes, or when its last connection is lost. */
export interface SwitchSession {
  /** Nothing happens when the queue is there. Bad_queue. */
  create(queue: string, durability: Durability): Promise<void>;
  /** With its messages; nothing happens when it is not there. */
  destroy(queue: string): Promise<void>;
  /** Sorted; `alive`: only those that somebody listens to. */
  list(prefix: string, alive?: boolean): Promise<string[]>;
  /** Answers when the message is in the queue, durably in a persistent one; null: there is no such queue. Bad_message, Queue_full. */
  send(queue: string, message: Message): Promise<MessageId | null>;
  /** What is in the queues; waits when there is nothing. Removes nothing. */
  transfer(request: TransferRequest): Promise<Transfer>;
  /** Removes a message; nothing happens when it is not there. */
  ack(id: MessageId): Promise<void>;
  close(): Promise<void>;
}
export interface Switch {
  /** Sessions with the same token are one. */
  login(token: string): Promise<SwitchSession>;
}

export const switchErrors = errorsOf({
  Bad_queue: 'the name of a queue must have 1 to 255 printable characters without "/": {queue}',
  Bad_message: 'the message has {bytes} bytes; at most {limit} are taken',
  Queue_full: 'the queue {queue} holds {bytes} bytes in {messages} messages; acknowledge or destroy some of them first',
  Too_many: 'there are {count} {what} already; destroy some of them first',
  Not_logged_in: 'this connection has not logged in',
  Switch_gone: 'the message switch at {address} does not answer: {reason}',
  Switch_refused: 'the message switch refuses: {answer} ({status})',
  No_answer: 'no answer came from the queue {queue} within {timeoutS} s',
});
