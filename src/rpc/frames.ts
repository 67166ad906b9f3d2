/**
 * JSON lines on a stream: one message a line, each at most `maxBytes` long.
 *
 * client → server   {"id":1,"call":"vm.start","args":{…},"label":"…"}   {"cancel":1}   {"watch":true}
 * server → client   {"hello":"xenops"}   {"id":1,"progress":0.5}   {"id":1,"result":…}   {"id":1,"error":{…}}   {"event":{…}}
 */
import type { Socket } from 'node:net';

export type Message = Readonly<Record<string, unknown>>;

/** Bytes of one message, in either direction. */
export const defaultMaxBytes = 16 * 1024 * 1024;

const newline = 0x0a;

/** Cuts a stream of bytes into messages; throws on what is no message, after which the stream is of no more use. */
export class FrameReader {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #held = 0;

  constructor(maxBytes: number = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }
  /** The messages that `chunk` completes. */
  push(chunk: Buffer): Message[] {
    const found: Message[] = [];
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      const line = this.#take(chunk.subarray(from, at));
      from = at + 1;
      if (line.length > 0) found.push(parse(line));
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from));
    return found;
  }
  #hold(part: Buffer): void {
    this.#held += part.length;
    if (this.#held > this.#maxBytes) throw new Error(`a message is longer than ${this.#maxBytes} bytes`);
    this.#parts.push(part);
  }
  #take(end: Buffer): Buffer {
    this.#hold(end);
    const line = this.#parts.length === 1 ? end : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#held = 0;
    return line;
  }
}

function parse(line: Buffer): Message {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch (cause) {
    throw new Error('a line is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('a line is not an object');
  return value as Message;
}

/**
 * Writes a message. A peer that does not read and lets more than `maxQueued` bytes pile up is disconnected, so that it
 * costs bounded memory. Answers whether the message was taken.
 */
export function send(socket: Socket, message: Message, maxQueued: number): boolean {
  return sendText(socket, JSON.stringify(message), maxQueued);
}
/** As `send`, for a message that is text already. */
export function sendText(socket: Socket, text: string, maxQueued: number): boolean {
  if (socket.destroyed || !socket.writable) return false;
  if (socket.writableLength > maxQueued) {
    socket.destroy(new Error(`the peer does not read: ${socket.writableLength} bytes are waiting`));
    return false;
  }
  socket.write(`${text}\n`);
  return true;
}
