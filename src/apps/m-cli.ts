/** `m-cli`: looks into the message switch, and calls and serves queues from a shell. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { ContractError } from '../contracts/contract.ts';
import type { Switch, SwitchSession } from '../contracts/switch.ts';
import { switchAt } from '../switch/at.ts';
import { askSwitch } from '../switch/client.ts';
import { SwitchCaller, SwitchServer } from '../switch/peer.ts';
import { chartOf, diagnosticsText, eventText, type WireTraceEvent } from '../switch/show.ts';
import type { SwitchRequest } from '../wire/switch.ts';
import { parseSwitchAddress } from '../wire/switch-address.ts';
import { stderrLog } from './stderr-log.ts';

const usage = `usage: m-cli [--path SOCKET|nats://HOST] COMMAND
  diagnostics [--json]                  queues, what is in them, who listens
  list [--prefix P] [--all]             names of queues; only those with a listener, unless --all
  tail [--follow]                       what passes through
  mscgen                                the same as a message sequence chart
  ack QUEUE ID                          remove a message
  destroy QUEUE                         remove a queue with its messages
  call QUEUE [--body TEXT | --file FILE] [--timeout S]   send a request (standard input without either), print the answer
  serve QUEUE --program COMMAND         answer requests: the program gets each on its standard input and prints the answer
  shutdown                              end the switch
`;
const { values, positionals } = parse();
const verbose = values.debug || values.verbose;
const log = verbose ? stderrLog('m-cli') : { ...stderrLog('m-cli'), debug: none, info: none, warn: none };
const token = `m-cli-${process.pid}-${randomBytes(6).toString('hex')}`;
const peer = { switch: openSwitch(), token, clock: systemClock, log };
const print = (text: string) => process.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);

const commands: Readonly<Record<string, (...args: string[]) => Promise<void>>> = {
  async diagnostics() {
    const text = await askDaemon({ op: 'diagnostics' });
    print(values.json ? text : diagnosticsText(JSON.parse(text)));
  },
  async list() {
    const names = await inSession((session) => session.list(values.prefix, !values.all));
    for (const name of names) print(name);
  },
  async tail() {
    let from = -1;
    do {
      const events = await trace(from, values.follow ? 30 : 0);
      for (const [, event] of events) print(eventText(event));
      from = events.at(-1)?.[0] ?? from;
    } while (values.follow);
  },
  async mscgen() {
    print(chartOf((await trace(-1, 0)).map(([, event]) => event)));
  },
  ack: async (queue, n) => {
    if (!queue || !/^\d+$/.test(n ?? '')) refuse('ack needs the name of a queue and the number of a message');
    await inSession((session) => session.ack([queue as string, Number(n)]));
  },
  destroy: async (queue) => {
    if (!queue) refuse('destroy needs the name of a queue');
    await inSession((session) => session.destroy(queue as string));
  },
  async call(queue) {
    if (!queue) refuse('call needs the name of a queue');
    const timeoutS = Number(values.timeout);
    if (!(timeoutS > 0)) refuse(`--timeout: ${values.timeout} is not a number of seconds`);
    const caller = new SwitchCaller(peer);
    await caller
      .call(queue as string, values.body ?? readFileSync(values.file ?? 0, 'utf8'), timeoutS)
      .then(print)
      .finally(() => caller.close());
  },
  async serve(queue) {
    if (!queue || !values.program) refuse('serve needs the name of a queue and --program COMMAND');
    const [command = '', ...args] = values.program?.split(/\s+/) ?? [];
    const server = new SwitchServer(peer, queue as string, (payload) => runProgram(command, args, payload));
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    await server.close();
  },
  async shutdown() {
    await askDaemon({ op: 'shutdown' });
  },
};
const [name = '', ...args] = positionals;
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (!command) refuse(name === '' ? 'what to do is missing' : `there is no command "${name}"`);
try {
  await command?.(...args);
  process.exit(0);
} catch (error) {
  process.stderr.write(`m-cli: ${(error as Error).message}\n`);
  if (!(error instanceof ContractError) && verbose) process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(1);
}

async function trace(from: number, timeoutS: number): Promise<readonly (readonly [number, WireTraceEvent])[]> {
  const text = await askDaemon({ op: 'trace', from, timeoutS });
  return (JSON.parse(text) as { events: [number, WireTraceEvent][] }).events;
}
function openSwitch(): Switch {
  try {
    return switchAt(values.path, { clock: systemClock, log });
  } catch (error) {
    return refuse(`--path: ${(error as Error).message}`);
  }
}
/** What only the daemon knows of itself. */
async function askDaemon(asked: SwitchRequest): Promise<string> {
  const address = parseSwitchAddress(values.path);
  if (address.kind === 'nats') refuse(`${name} is of the message-switch daemon; NATS servers have tools of their own`);
  return askSwitch(values.path, asked);
}
async function inSession<T>(f: (session: SwitchSession) => Promise<T>): Promise<T> {
  const session = await peer.switch.login(token);
  return f(session).finally(() => session.close());
}
function runProgram(command: string, args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('error', reject);
    child.once('close', (status) =>
      status === 0 ? resolve(output) : reject(new Error(`${command} ended with status ${status}`)),
    );
    child.stdin.on('error', () => child.stdin.destroy()); // a program may answer without reading
    child.stdin.end(input);
  });
}
function parse() {
  try {
    const options = {
      path: { type: 'string', default: '/var/run/message-switch/sock' },
      debug: { type: 'boolean', default: false },
      verbose: { type: 'boolean', short: 'v', default: false },
      json: { type: 'boolean', default: false },
      prefix: { type: 'string', default: '' },
      all: { type: 'boolean', default: false },
      follow: { type: 'boolean', default: false },
      body: { type: 'string' },
      file: { type: 'string' },
      timeout: { type: 'string', default: '30' },
      program: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    } as const;
    const parsed = parseArgs({ options, allowPositionals: true });
    if (parsed.values.help) {
      process.stdout.write(usage);
      process.exit(0);
    }
    return parsed;
  } catch (error) {
    return refuse((error as Error).message);
  }
}
function refuse(why: string): never {
  process.stderr.write(`m-cli: ${why}\n${usage}`);
  process.exit(2);
}
function none(): void {
  // not shown without -v
}
