/**
 * `xe`, the thin client: posts its arguments to the host and does what the host says. Started for every command, so it
 * imports little; TLS, HTTP and the console are loaded when they are needed.
 */
import { createReadStream } from 'node:fs';
import type { Socket } from 'node:net';
import {
  type Command,
  encodeChunkHeader,
  encodeEnd,
  encodeGreeting,
  encodeResponse,
  ThinCliError,
  ThinCliReader,
} from '../../wire/thin-cli.ts';
import { type Host, hostOf } from './client/connect.ts';
import { ClientError, type Options, readOptions, realSurroundings } from './client/options.ts';

/** How often a long transfer tells the host that it goes on. */
const waitEveryMs = 15_000;

interface Session {
  readonly options: Options;
  readonly host: Host;
  readonly socket: Socket;
  readonly reader: ThinCliReader;
}

/** Runs one command; the status to exit with. */
async function main(argv: readonly string[]): Promise<number> {
  const around = realSurroundings();
  const options = readOptions(argv, around);
  const host = hostOf(options, around, askOnTerminal);
  const socket = await host.connect();
  // the end of the stream is what tells; an error before it is told by the reader
  socket.on('error', () => undefined);
  const reader = new ThinCliReader(socket);
  socket.write(posted(options));
  try {
    await greeted(reader, options, host);
    socket.write(encodeGreeting());
    return await obey({ options, host, socket, reader });
  } finally {
    socket.destroy();
  }
}

/** A server of TLS hangs up on plain text without a word. */
async function greeted(reader: ThinCliReader, { server, port, tls }: Options, host: Host): Promise<void> {
  const remote = server !== undefined || port !== undefined;
  try {
    await reader.greeting();
  } catch (error) {
    // With what was sent still unread, a hang-up is a reset.
    const reset = ['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!reset && !(error instanceof ThinCliError)) throw error;
    const said = reset ? 'the connection was closed before the greeting' : (error as Error).message;
    const hint = remote && !tls ? '; if it speaks TLS there, leave out --nossl' : '';
    throw new ClientError(`${host.name}: ${said}${hint}`);
  }
}

/** The request: HTTP/1.0 with the arguments one a line. No answer of HTTP follows. */
function posted({ args, user, password }: Options): Buffer {
  const body = Buffer.from([...args, `username=${user}`, `password=${password}`, ''].join('\n'));
  const head = `POST /cli HTTP/1.0\r\ncontent-length: ${body.length}\r\nuser-agent: guesthouse-xe\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

async function obey(session: Session): Promise<number> {
  const { reader } = session;
  let printed = '';
  for (;;) {
    // lines that came together are written together
    if (printed !== '' && (!reader.ready || printed.length > 65536)) {
      await put(process.stdout, printed);
      printed = '';
    }
    const m = await reader.message();
    if (m === undefined) throw new ClientError(`the host closed the connection before the command had ended`);
    if (m.kind !== 'command') throw new ThinCliError(`a ${m.kind} where a command was due`);
    if (m.command.do === 'print') {
      printed += `${m.command.text}\n`;
      continue;
    }
    if (printed !== '') await put(process.stdout, printed);
    printed = '';
    if (m.command.do === 'exit') return m.command.code & 0xff;
    await carryOut(session, m.command);
  }
}

async function carryOut(session: Session, command: Exclude<Command, { readonly do: 'exit' | 'print' }>): Promise<void> {
  switch (command.do) {
    case 'printStderr':
      return put(process.stderr, command.text);
    case 'debug':
      return session.options.debug ? put(process.stderr, `debug: ${command.text}\n`) : undefined;
    case 'error':
      return put(process.stderr, `Error code: ${command.code}\nError parameters: ${command.params.join(', ')}\n`);
    case 'prompt':
      return answerPrompt(session);
    case 'load':
      return attempt(session, command.file, () => sendFile(session, command.file));
    case 'httpGet':
      return attempt(session, command.file, async (files) => {
        await files.download(session.host, command.file, command.url);
        session.socket.write(encodeResponse('ok'));
      });
    case 'httpPut':
      return attempt(session, command.file, async (files) => {
        await files.upload(session.host, command.file, command.url);
        session.socket.write(encodeResponse('ok'));
      });
    case 'httpConnect':
      return attempt(session, undefined, (files) => openConsole(session, files, command.url));
  }
}

function put(stream: NodeJS.WriteStream, text: string): Promise<void> | undefined {
  if (stream.write(text)) return undefined;
  return new Promise((resolve) => stream.once('drain', resolve));
}

type Files = typeof import('./client/files.ts');
/** Does what may fail at this end; a failure is printed here and told to the host, which ends the command. */
async function attempt(
  session: Session,
  file: string | undefined,
  act: (files: Files) => Promise<void>,
): Promise<void> {
  const { socket, options } = session;
  const waiting = setInterval(() => socket.write(encodeResponse('wait')), waitEveryMs);
  try {
    const files = await import('./client/files.ts');
    if (file !== undefined) files.checkNamed(file, options.args);
    await act(files);
  } catch (error) {
    process.stderr.write(`xe: ${(error as Error).message}\n`);
    socket.write(encodeResponse('failed'));
  } finally {
    clearInterval(waiting);
  }
}

async function sendFile({ socket }: Session, file: string): Promise<void> {
  let begun = false;
  const begin = () => {
    if (!begun) socket.write(encodeResponse('ok'));
    begun = true;
  };
  for await (const piece of createReadStream(file)) {
    begin();
    socket.write(encodeChunkHeader((piece as Buffer).length));
    if (!socket.write(piece)) await new Promise((resolve) => socket.once('drain', resolve));
  }
  begin();
  socket.write(encodeEnd());
}

async function answerPrompt({ socket }: Session): Promise<void> {
  const { readLine } = await import('./client/terminal.ts');
  const line = Buffer.from(await readLine(process.stdin));
  socket.write(Buffer.concat([encodeChunkHeader(line.length), line, encodeEnd()]));
}

async function openConsole({ socket, host }: Session, files: Files, url: string): Promise<void> {
  const { runConsole } = await import('./client/terminal.ts');
  const { socket: raw, head } = await files.tunnel(host, url);
  await runConsole(raw, head, { input: process.stdin, output: process.stdout, errors: process.stderr });
  socket.write(encodeResponse('ok'));
}

async function askOnTerminal(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const { readLine } = await import('./client/terminal.ts');
  process.stderr.write(question);
  return readLine(process.stdin);
}

// a reader of our output that has gone (`xe vm-list | head -1`) is no failure
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    // stdin may still be open after a question
    process.stdin.unref?.();
  },
  (error: unknown) => {
    const known = error instanceof ClientError || error instanceof ThinCliError;
    process.stderr.write(`xe: ${known ? error.message : String((error as Error)?.stack ?? error)}\n`);
    process.exitCode = 1;
  },
);
