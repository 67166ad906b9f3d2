/** The person's end: lines typed, and the terminal as a serial console. */
import type { Socket } from 'node:net';

/** Ctrl-] leaves the console. */
const leave = 0x1d;
/** With input from a pipe, the console is left when nothing has come for this long after the input's end. */
const quietMs = 1000;

/** One line from stdin, without its end. */
export function readLine(input: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = () => {
      input.off('data', take);
      input.off('end', done);
      input.pause();
      resolve(text.split('\n')[0] ?? '');
    };
    const take = (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) done();
    };
    input.on('data', take);
    input.once('end', done);
    input.resume();
  });
}

interface Streams {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WritableStream;
  readonly errors: NodeJS.WritableStream;
}

/**
 * Without a terminal nobody answers a guest's shell that asks where the cursor is: the question would only stand in what is
 * kept of the console. `rest` is what was held back because the question might have begun with it.
 */
function withoutQuestions(): { pass(bytes: Buffer): Buffer; rest(): Buffer } {
  const question = '\x1b[6n';
  let held = '';
  return {
    pass(bytes) {
      const text = (held + bytes.toString('latin1')).replaceAll(question, '');
      const begun = [3, 2, 1].find((length) => text.endsWith(question.slice(0, length))) ?? 0;
      held = text.slice(text.length - begun);
      return Buffer.from(text.slice(0, text.length - begun), 'latin1');
    },
    rest: () => Buffer.from(held, 'latin1'),
  };
}
const isTerminal = (stream: NodeJS.WritableStream): boolean => 'isTTY' in stream && stream.isTTY === true;

/** Joins terminal and connection until Ctrl-] is typed, or the console or a piped input ends. */
export async function runConsole(socket: Socket, head: Buffer, { input, output, errors }: Streams): Promise<void> {
  const raw = input.isTTY === true;
  const filter = isTerminal(output) ? undefined : withoutQuestions();
  let hungUp: (() => void) | undefined;
  if (raw) {
    errors.write('Connected; leave with Ctrl-]\r\n');
    input.setRawMode(true);
  }
  try {
    await new Promise<void>((resolve, reject) => {
      let ending: NodeJS.Timeout | undefined;
      const show = (bytes: Buffer) => {
        ending?.refresh();
        if (output.write(filter?.pass(bytes) ?? bytes)) return;
        socket.pause();
        output.once('drain', () => socket.resume());
      };
      if (head.length > 0) show(head);
      socket.on('data', show);
      socket.once('end', resolve);
      socket.once('close', () => resolve());
      socket.once('error', reject);
      input.on('data', (bytes: Buffer) => {
        const at = raw ? bytes.indexOf(leave) : -1;
        const typed = at < 0 ? bytes : bytes.subarray(0, at);
        if (typed.length > 0 && !socket.write(typed)) {
          input.pause();
          socket.once('drain', () => input.resume());
        }
        if (at >= 0) resolve();
      });
      input.once('end', () => {
        ending = setTimeout(resolve, quietMs);
      });
      input.resume();
      // Node gives the terminal its mode back on TERM and INT; this one would leave it raw to the shell.
      hungUp = resolve;
      process.once('SIGHUP', hungUp);
    });
  } finally {
    if (hungUp) process.off('SIGHUP', hungUp);
    if (filter) output.write(filter.rest());
    if (raw) input.setRawMode(false);
    input.pause();
    socket.destroy();
    if (raw) errors.write('\r\n');
  }
}
