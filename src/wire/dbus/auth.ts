/**
 * The side of D-Bus authentication that is asked. Who the peer is was settled by its transport, so EXTERNAL and ANONYMOUS are taken
 * with whatever they claim; nothing else is, and no descriptors are passed.
 *
 *     begin ──NUL──▶ asking ──AUTH EXTERNAL … | AUTH ANONYMOUS──▶ granted ──BEGIN──▶ done
 *                     │  ▲                        │    ▲                            (bytes after it are messages)
 *             AUTH EXTERNAL│REJECTED, ERROR        CANCEL│
 *                     ▼  │                        ▼    │
 *                    awaiting DATA ──DATA …──▶ granted  asking
 *
 *     BEGIN before `granted`, a line of more than 128 bytes, no NUL first, or too many lines: FormatError
 */
import { FormatError, require } from '../format-error.ts';

const longestLine = 128;
const mostLines = 32;

export class AuthServer {
  state: 'begin' | 'asking' | 'awaiting' | 'granted' | 'done' = 'begin';
  readonly #guid: string;
  /** Sent before OK: the original's way to tell a guest its uuid. */
  readonly #data: string | undefined;
  #rest = Buffer.alloc(0);
  #lines = 0;

  /** `guid`: of this server, 32 hex digits. */
  constructor(guid: string, data?: string) {
    this.#guid = guid;
    this.#data = data;
  }
  /** What to answer; when `state` is `done` then, `rest` are bytes of messages. */
  push(chunk: Buffer): { readonly answer: string; readonly rest: Buffer } {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.state === 'begin' && this.#rest.length > 0) {
      require(this.#rest[0] === 0, 'a connection that does not begin with NUL');
      this.#rest = this.#rest.subarray(1);
      this.state = 'asking';
    }
    let answer = '';
    while (this.state !== 'done') {
      const end = this.#rest.indexOf('\r\n');
      require((end < 0 ? this.#rest.length : end) <= longestLine, `a line of more than ${longestLine} bytes`);
      if (end < 0) break;
      const line = this.#rest.subarray(0, end).toString('latin1');
      this.#rest = this.#rest.subarray(end + 2);
      require(++this.#lines <= mostLines, `more than ${mostLines} lines of authentication`);
      answer += this.#answerTo(line);
    }
    return { answer, rest: this.state === 'done' ? this.#rest : Buffer.alloc(0) };
  }
  #answerTo(line: string): string {
    const [command = '', mechanism = '', ...more] = line.split(' ');
    if (command === 'BEGIN') {
      if (this.state !== 'granted') throw new FormatError('BEGIN before the authentication was granted');
      this.state = 'done';
      return '';
    }
    if (command === 'AUTH' && this.state === 'asking') return this.#auth(mechanism, more.length > 0);
    if (command === 'DATA' && this.state === 'awaiting') return this.#grant();
    if ((command === 'CANCEL' || command === 'ERROR') && this.state !== 'begin') {
      this.state = 'asking';
      return rejected;
    }
    return 'ERROR not understood here\r\n';
  }
  #auth(mechanism: string, claims: boolean): string {
    if (mechanism === 'ANONYMOUS' || (mechanism === 'EXTERNAL' && claims)) return this.#grant();
    if (mechanism !== 'EXTERNAL') return rejected;
    this.state = 'awaiting';
    return 'DATA\r\n';
  }
  #grant(): string {
    this.state = 'granted';
    return `${this.#data === undefined ? '' : `DATA ${this.#data}\r\n`}OK ${this.#guid}\r\n`;
  }
}
const rejected = 'REJECTED EXTERNAL ANONYMOUS\r\n';
