/**
 * The host's side of `xe`: takes the posted arguments, logs in, runs the command and prints through the thin CLI protocol.
 *
 * ```
 * posted ─▶ greeted ─▶ logged in ─▶ running ⇄ asking the client ─▶ exit sent ─▶ closed
 *    └────────┴───────────┴────────────┴── failure shown ─▶ exit 1 sent ─┘
 * ```
 * Whatever happens, an Exit is the last message; a client that has gone ends the command's waiting, not its tasks.
 */
import type { Duplex } from 'node:stream';
import { bestEffort } from '../../base/best-effort.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { type Client, createClient } from '../../client/client.ts';
import type { Transport } from '../../client/transport.ts';
import { ThinCliError } from '../../wire/thin-cli.ts';
import { nearest, parseRequest, type Request, XeError } from './arguments.ts';
import { ownNames, runCall } from './call.ts';
import { type Command, commands } from './commands.ts';
import { completion } from './completion.ts';
import { printFailure } from './failure.ts';
import { familyCommand, runFamily } from './family.ts';
import { runHelp, unknownCommand } from './help.ts';
import type { Peek } from './reader.ts';
import { Screen } from './screen.ts';
import { runTransfer } from './transfer.ts';
import { verbs } from './verbs.ts';
import { Work } from './work.ts';

/** Who wants to run a command. */
export type Login =
  | { readonly kind: 'session'; readonly session: string }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** Connected through the local socket, without a password: root. */
  | { readonly kind: 'local' };

export interface Connected {
  readonly client: Client;
  /** Ends what `connect` began: logs out of a session that it opened. */
  close(): Promise<void>;
}

export interface XeDoorParts {
  /** Rejects with `ApiError`. */
  connect(login: Login): Promise<Connected>;
  readonly log: Log;
  readonly version: string;
  /** Where the database is in this process: `(cls, ref) => db.find(cls, ref)`. Lists are faster with it. */
  readonly peek?: Peek;
  readonly clock?: Clock;
}

export interface Peer {
  /** Connected through the local socket. */
  readonly local: boolean;
}

export interface XeDoor {
  /** Serves one `POST /cli` whose body has been read; `head` are bytes that came after it. Never rejects. */
  handle(socket: Duplex, head: Buffer, body: Buffer, peer: Peer): Promise<void>;
}

/** How long a client may take to greet. */
const greetingMs = 30_000;
/** Bytes that a posted command may have. */
export const maxBody = 200 * 1024;

/** `connect` over a transport; `localSession` opens a session of root for the local socket. */
export function connectOver(transport: Transport, localSession: () => Promise<string>): XeDoorParts['connect'] {
  return async (login) => {
    if (login.kind === 'session')
      return { client: createClient(transport, login.session), close: async () => undefined };
    const session =
      login.kind === 'local'
        ? await localSession()
        : String(await transport.call('session.login_with_password', [login.user, login.password, '1.0', 'xe']));
    const client = createClient(transport, session);
    return { client, close: async () => void (await client.session.logout({})) };
  };
}

export function xeDoor(parts: XeDoorParts): XeDoor {
  const { log, clock = systemClock } = parts;
  return {
    async handle(socket, head, body, peer) {
      const gone = new AbortController();
      socket.on('close', () => gone.abort());
      socket.on('error', (error) => log.debug('a client of xe has gone', { error: error.message }));
      const screen = new Screen(socket, head);
      const sessions: Connected[] = [];
      const connect = async (login: Login) => {
        const connected = await parts.connect(login);
        sessions.push(connected);
        return connected.client;
      };
      try {
        const tooLate = clock.after(greetingMs, () => socket.destroy());
        await screen.greet().finally(tooLate);
        await screen.exit(await serve({ ...parts, connect, screen, peer, gone: gone.signal }, body));
      } catch (error) {
        if (!(error instanceof ThinCliError) && !gone.signal.aborted)
          log.warn('a command of xe broke off', { error: String(error) });
      } finally {
        socket.end();
        for (const { close } of sessions)
          await bestEffort('the session of an ended command expires by itself', log, close);
      }
    },
  };
}

interface Serving extends Pick<XeDoorParts, 'log' | 'version' | 'peek'> {
  connect(login: Login): Promise<Client>;
  readonly screen: Screen;
  readonly peer: Peer;
  readonly gone: AbortSignal;
}

/** Runs one command and shows its failure; the status to exit with. */
async function serve(serving: Serving, body: Buffer): Promise<number> {
  const { screen, log, version, gone, peek } = serving;
  let work: Work | undefined;
  try {
    const request = parseRequest(body.toString('utf8'));
    if (runOffline(serving, request)) return 0;
    const client = await serving.connect(loginOf(request, serving.peer));
    work = new Work({ client, request, screen, log, gone, version, peek });
    await runCommand(work);
    return 0;
  } catch (error) {
    if (error instanceof ThinCliError || gone.aborted) throw error;
    if (!(error instanceof XeError)) log.debug('a command of xe failed', { error: String(error) });
    await printFailure(screen, error, work?.reader);
    return 1;
  }
}

function loginOf(request: Request, peer: Peer): Login {
  if (request.session) return { kind: 'session', session: request.session };
  if (peer.local && request.username === '' && request.password === '') return { kind: 'local' };
  return { kind: 'password', user: request.username, password: request.password };
}

/** Commands that need no session. */
function runOffline({ screen, version }: Serving, request: Request): boolean {
  const { command, words } = request;
  if (['help', '--help', '-h', ''].includes(command)) {
    runHelp({ request, version, print: (text) => screen.print(text) });
    return true;
  }
  if (command === 'completion') {
    screen.print(completion(words[0] ?? ''));
    return true;
  }
  if (command === '--version' || command === 'version') {
    screen.print(`Guesthouse ${version}`);
    return true;
  }
  return false;
}

/** Finds the command and runs it. Rejects with `XeError` or `ApiError`. */
export async function runCommand(work: Work): Promise<void> {
  const name = work.request.command;
  const command = commands.find((c) => c.name === name);
  if (!command) {
    const generated = familyCommand(name);
    if (!generated) throw unknownCommand(name);
    refuseWords(work.request, generated.verb === 'list' ? undefined : 'uuid');
    return runFamily(work, generated.family, generated.verb);
  }
  if (command.absent) throw new XeError(`${name} is not available in this version`, [['command', name]]);
  refuseWords(work.request, command.select ? command.select.toLowerCase() : command.required[0]);
  checkParameters(command, work.request);
  const verb = verbs[name];
  if (verb) return verb(work, command);
  if (command.get || command.put) return runTransfer(work, command);
  if (command.call) return runCall(work, command);
  throw new XeError(`${name} is not available in this version`, [['command', name]]);
}

/** Refuses a bare word; `name`: of the parameter that it was probably meant for. */
function refuseWords({ command, words }: Request, name: string | undefined): void {
  const [word] = words;
  if (word === undefined) return;
  const meant =
    name === undefined
      ? 'a filter is NAME=VALUE, and params=NAME,… chooses what is shown'
      : `did you mean ${name}=${word}?`;
  throw new XeError(`${JSON.stringify(word)} is neither name=value nor --flag; ${meant}`, [['command', command]]);
}

/** Refuses what is missing, and what the command does not know unless selectors may be given. */
function checkParameters(command: Command, { params }: Request): void {
  const own = [...ownNames(command), ...(alsoTaken[command.name] ?? [])];
  const isOwn = (name: string) => own.some((o) => name === o || (/[:-]$/.test(o) && name.startsWith(o)));
  const strange = command.select ? undefined : params.plain.find(([name]) => !isOwn(name))?.[0];
  for (const name of command.required) {
    const given = name.endsWith(':') ? Object.keys(params.map(name.slice(0, -1))).length > 0 : params.has(name);
    if (!given)
      throw new XeError(
        `Missing parameter: ${name}= (${command.name} needs ${command.required.join(', ')}${strange ? `, and does not take ${strange}` : ''})`,
        [['parameter', name]],
      );
  }
  if (command.select || command.name === 'event-wait') return;
  if (strange === undefined) return;
  const near = nearest(strange, own);
  const hint = near.length > 0 ? `did you mean ${near.join(', ')}?` : `it takes ${own.join(', ') || 'none'}`;
  throw new XeError(`${command.name} has no parameter ${JSON.stringify(strange)}; ${hint}`, [['parameter', strange]]);
}

/** Other spellings that people use. */
const alsoTaken: Readonly<Record<string, readonly string[]>> = {
  'vm-install': ['template-uuid', 'template-name', 'template-name-label', 'new-name-description'],
};
