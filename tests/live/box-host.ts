/** A box for tests, through `bin/guesthouse box` as a user has it. One data folder for all runs, so that its snapshot is used again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { addAbortSignal } from 'node:stream';
import { dial } from './clients/bridge.ts';
import { type Ended, run, without } from './clients/program.ts';
import { bin } from './host.ts';

const root = join(import.meta.dirname, '../..');
/** Of the box that the tests use. */
export const boxData: string = process.env['GUESTHOUSE_TEST_BOX'] ?? join(root, 'build', 'box', 'tests');

export interface LiveBox extends AsyncDisposable {
  readonly data: string;
  readonly url: string;
  /** What `up` wrote to stderr. */
  readonly said: readonly string[];
  readonly up: ChildProcess;
  /** How `up` ended: its exit status, or the signal. */
  readonly ended: Promise<number | string>;
  /** `guesthouse box exec`. */
  exec(command: readonly string[], input?: string | Uint8Array): Promise<Ended>;
  /** `guesthouse box VERB --data DIR`. */
  box(verb: string, ...args: string[]): Promise<Ended>;
  /** A call as root over the network. */
  call(method: string, ...params: unknown[]): Promise<unknown>;
  /** A session for what is not a call. */
  session(): Promise<string>;
}

/** Why no box can be made here; false when one can. */
export function cannotBox(): string | false {
  if (process.env['BACKEND'] !== 'xen') return 'real Xen in a box is tested by: npm run test:xen';
  if (process.getuid?.() !== 0 && !existsSync(join(root, 'build', 'box')))
    return "a box's Debian is built by root: sudo bin/guesthouse box build";
  return without({ mmdebstrap: 'mmdebstrap', 'openssh-client': 'ssh', 'qemu-utils': 'qemu-img', cpio: 'cpio' });
}

export interface BoxOptions {
  readonly fresh?: boolean;
  readonly password?: string;
}

/** Resolves when it is ready. */
export async function liveBox({ fresh = true, password = 'correct horse' }: BoxOptions = {}): Promise<LiveBox> {
  mkdirSync(boxData, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'gh-box-'));
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  const args = ['box', 'up', '--data', boxData, '--listen', '127.0.0.1:0', '--password-file', passwordFile];
  const up = spawn(bin('guesthouse'), fresh ? [...args, '--fresh'] : args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  createInterface(up.stderr).on('line', (line) => said.push(line));
  const ended = new Promise<number | string>((resolve) =>
    up.once('exit', (code, signal) => resolve(code ?? signal ?? 1)),
  );
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(up.stdout).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(line.slice(6));
    });
    void ended.then((how) => reject(new Error(`guesthouse box up ended with ${how}: ${said.join('\n')}`)));
  });
  rmSync(folder, { recursive: true });
  let id = 0;
  const post = async (method: string, params: readonly unknown[]) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: ++id, method, params });
    const { result, error } = (await (await fetch(`${url}/jsonrpc`, { method: 'POST', body })).json()) as {
      result?: unknown;
      error?: { message: string; data: string[] };
    };
    if (error) throw new Error([error.message, ...(error.data ?? [])].join(' '));
    return result;
  };
  let known = '';
  const session = async () =>
    (known ||= (await post('session.login_with_password', ['root', password, '2.0', 'box'])) as string);
  const box = (verb: string, ...more: string[]) => run(bin('guesthouse'), ['box', verb, '--data', boxData, ...more]);
  return {
    ...{ data: boxData, url, said, up, ended, session, box },
    exec: (command, input) =>
      run(
        bin('guesthouse'),
        ['box', 'exec', '--data', boxData, '--', ...command],
        input === undefined ? {} : { input },
      ),
    call: async (method, ...params) => post(method, [await session(), ...params]),
    async [Symbol.asyncDispose]() {
      if (up.exitCode !== null || up.signalCode !== null) return;
      await box('down', '--discard');
      await ended;
    },
  };
}

/** Ids of processes whose command line names the box's folder or runs in it, other than this one's own. */
export async function processesOf(data: string): Promise<string[]> {
  const { out } = await run('ps', ['-eo', 'pid,args']);
  return out
    .toString()
    .split('\n')
    .filter((line) => line.includes(data) && /qemu-system|ssh /.test(line));
}

/** A VM made from the template "Tiny Linux", which stands still. PV guests start in half the time of PVH ones under emulation. */
export async function tinyLinux(
  b: LiveBox,
  name: string,
  type: 'pv' | 'pvh' = 'pv',
): Promise<{ vm: string; uuid: string }> {
  const [template] = (await b.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await b.call('VM.clone', template, name)) as string;
  await b.call('VM.set_domain_type', vm, type);
  await b.call('VM.provision', vm);
  return { vm, uuid: (await b.call('VM.get_uuid', vm)) as string };
}
/** Answers when the VM has ended. */
export async function halted(b: LiveBox, vm: string): Promise<void> {
  for (let token = ''; (await b.call('VM.get_power_state', vm)) !== 'Halted'; )
    ({ token } = (await b.call('event.from', ['VM'], token, 30)) as { token: string });
}

const readyMs = 300_000;
/** The guest's text console, at the address that its record names. */
export async function dialConsole(b: LiveBox, uuid: string): Promise<Socket> {
  for (const ref of (await b.call('VM.get_consoles', await b.call('VM.get_by_uuid', uuid))) as string[]) {
    const { protocol, location = '' } = (await b.call('console.get_record', ref)) as Record<string, string>;
    if (protocol !== 'vt100') continue;
    const { origin: url, pathname, search } = new URL(location);
    return dial({ url, path: `${pathname}${search}`, session: await b.session() });
  }
  throw new Error(`${uuid} has no text console`);
}

/** The guest's console has a line READY. */
export const ready = async (b: LiveBox, uuid: string, withinMs = readyMs): Promise<void> =>
  void (await says(b, uuid, /^READY\r?$/m, '', withinMs));
/** Types a command on the guest's console and waits for its end; answers its exit status, and what was on the console. */
export async function inGuest(b: LiveBox, uuid: string, command: string): Promise<{ code: number; said: string }> {
  const mark = randomBytes(4).toString('hex');
  const said = await says(b, uuid, new RegExp(`^${mark} ended \\d+\r?$`, 'm'), `${command}; echo ${mark} ended $?\n`);
  return { code: Number(new RegExp(`^${mark} ended (\\d+)`, 'm').exec(said)?.[1]), said: said.slice(-1000) };
}

/** Waits until what the guest's console says, from its start on, matches; resolves to all that it said. `input` is typed first. */
export async function says(b: LiveBox, uuid: string, wanted: RegExp, input = '', withinMs = readyMs): Promise<string> {
  const socket = addAbortSignal(AbortSignal.timeout(withinMs), await dialConsole(b, uuid));
  if (input) socket.write(input);
  let said = '';
  const words = () => `the guest did not say ${wanted}: ${said.slice(-500)}`;
  try {
    for await (const piece of socket) {
      said += (piece as Buffer).toString('latin1');
      if (wanted.test(said)) return said;
    }
  } catch (error) {
    throw new Error(words(), { cause: error });
  }
  throw new Error(`its console has ended: ${words()}`);
}
