/**
 * Live update: another program takes the place of this one, in the same process, and nobody notices: guests' event channels, the tools' sockets
 * and the listening socket stay open, and everything else is written down for the successor.
 *
 *     CONTROL live-update -s ─▶ answered ─▶ state ─▶ file ─▶ execve ─▶ successor: file ─▶ state, rings, sockets ─▶ serving
 *                                                        └─ cannot: logged, and this program goes on
 */
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Log } from '../base/log.ts';
import type { Libc } from '../xen/libc.ts';
import type { LiveUpdate } from '../xenstore/control.ts';
import type { Core } from '../xenstore/core.ts';
import { attach, type ConnectionRecord, dump, type Lines, load, type State } from '../xenstore/state.ts';
import type { RingRecord } from '../xenstore/transports/ring.ts';
import { adoptSocket, descriptorOf, SocketLine, type SocketServer } from '../xenstore/transports/socket.ts';

/** What the successor is told, beside the state: which descriptors are what. */
export interface Handover {
  readonly state: State;
  readonly listening: number;
  /** Connection → its socket. */
  readonly sockets: readonly (readonly [connection: number, fd: number])[];
  /** On a Xen host. */
  readonly xen?: { readonly fd: number; readonly virq: number; readonly rings: readonly RingRecord[] };
}

export interface Replaceable {
  readonly core: Core;
  readonly log: Log;
  /** Opened when it is needed first. */
  readonly libc: () => Libc;
  readonly server: SocketServer;
  /** Where the handover is written: in memory (`/run`) where there are many nodes. */
  readonly folder: string;
  readonly xen?: { readonly fd: number; readonly virq: number; readonly rings: () => readonly RingRecord[] };
  /** Runs right before the program is replaced: what is buffered is written. */
  readonly flush?: () => void;
}

const option = '--successor';

/** The handover that a predecessor wrote, and its end. */
export function readHandover(file: string): Handover {
  const handover = JSON.parse(readFileSync(file, 'latin1')) as Handover;
  rmSync(file, { force: true });
  return handover;
}

/** Fills a new core with what a predecessor handed over, and connects its peers again. Nothing of its descriptors is handed to children. */
export function takeOver(core: Core, handover: Handover, libc: Libc, lines: Pick<Lines, 'zero'> = {}): void {
  const sockets = new Map(handover.sockets);
  for (const fd of [handover.listening, ...sockets.values()]) libc.setInherited(fd, false);
  const lives = load(core, handover.state);
  attach(core, lives, handover.state.connections, {
    ...lines,
    socket(record) {
      const fd = sockets.get(record.id);
      return fd === undefined ? undefined : adoptSocket(core, fd);
    },
  });
}

/** CONTROL live-update, for a program that serves `what`. */
export function liveUpdater(what: Replaceable): LiveUpdate {
  let program: string | undefined;
  let waiting = false;
  return (args) => {
    const [command, ...rest] = args;
    switch (command) {
      case '-f': {
        const file = rest[0];
        if (file === undefined) return 'live-update: -f needs the file of the new program';
        const wrong = whyNot(file);
        if (wrong === undefined) program = resolve(file);
        return wrong ?? 'OK';
      }
      case '-c':
        return 'live-update: this xenstored keeps its command line';
      case '-a':
        program = undefined;
        return 'OK';
      case '-s':
        if (waiting) return 'BUSY';
        waiting = true;
        // After the answer was sent: the successor need not know that it was asked for.
        setImmediate(() => {
          waiting = false;
          replace(what, program);
        });
        return 'OK';
      default:
        return 'live-update: -f FILE, -s or -a is expected';
    }
  };
}

/** Why `file` cannot be this program's successor. */
function whyNot(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return `live-update: ${file} is not a file`;
    const fd = openSync(file, 'r');
    const head = Buffer.alloc(4);
    readSync(fd, head, 0, 4, 0);
    closeSync(fd);
    return head.toString('latin1') === '\x7fELF' ? `live-update: ${file} is another kind of xenstored` : undefined;
  } catch (error) {
    return `live-update: ${(error as Error).message}`;
  }
}

/** Comes back only when the program could not be replaced; then it goes on. */
function replace(what: Replaceable, program: string | undefined): void {
  const { core, log, server, folder } = what;
  const kept: number[] = [];
  const file = join(folder, 'successor.json');
  try {
    const libc = what.libc();
    what.flush?.();
    const sockets = new Map<number, number>();
    const state = dump(core);
    const connections = state.connections.map((record) => withRemainder(core, record, sockets));
    const listening = descriptorOf(server.server);
    const handover: Handover = {
      state: { ...state, connections },
      listening,
      sockets: [...sockets],
      ...(what.xen && { xen: { fd: what.xen.fd, virq: what.xen.virq, rings: what.xen.rings() } }),
    };
    writeFileSync(file, JSON.stringify(handover), { encoding: 'latin1', mode: 0o600 });
    for (const fd of [0, 1, 2, listening, ...sockets.values(), ...(what.xen ? [what.xen.fd] : [])]) {
      libc.setInherited(fd, true);
      kept.push(fd);
    }
    const { command, args } = commandOf(program, file);
    log.info('replaced by a successor', { program: program ?? process.argv[1], nodes: state.nodes.length });
    libc.execve(command, [command, ...args], process.env as Record<string, string>);
  } catch (error) {
    log.error('the program could not be replaced and goes on', { program, error: String(error) });
    for (const fd of kept) if (fd > 2) what.libc().setInherited(fd, false);
    rmSync(file, { force: true });
    for (const { line } of core.connections) if (line instanceof SocketLine) line.resume();
  }
}

/** The record of a socket's connection with what its stream holds, and its descriptor in `sockets`. */
function withRemainder(core: Core, record: ConnectionRecord, sockets: Map<number, number>): ConnectionRecord {
  const connection = [...core.connections].find((each) => each.id === record.id);
  const rest = connection?.line instanceof SocketLine ? connection.line.remainder() : undefined;
  if (rest === undefined) return record;
  sockets.set(record.id, rest.fd);
  const both = (first: string | undefined, second: Buffer) =>
    Buffer.concat([Buffer.from(first ?? '', 'base64'), second]).toString('base64');
  const output = Buffer.from(record.output ?? '', 'base64');
  return {
    ...record,
    input: both(record.input, rest.input),
    output: both(rest.output.toString('base64'), output),
    unfinished: rest.output.length > 0 ? rest.unfinished : (record.unfinished ?? 0),
  };
}

/** How the successor is started: a script by this Node, anything else by itself. */
function commandOf(program: string | undefined, file: string): { command: string; args: string[] } {
  const [, main = '', ...given] = process.argv;
  const args: string[] = [];
  for (let i = 0; i < given.length; i++) {
    if (given[i] === option) i++;
    else args.push(given[i] as string);
  }
  args.push(option, file);
  const script = program ?? main;
  if (/\.[cm]?[jt]s$/.test(script)) return { command: process.execPath, args: [...process.execArgv, script, ...args] };
  return { command: script, args };
}
