/**
 * A running box: QEMU, the shared ssh connection into it, and what must be told to a host that comes out of a snapshot.
 *
 *     power on ─▶ Debian, Xen ─▶ ssh ─▶ XenAPI answers ─▶ saved as `ready` ─▶ clock, randomness ─▶ password, address ─▶ up
 *     `last` or `ready` ───────────▶ ssh ─▶ clock, randomness ─▶ XenAPI answers ──────────────────▶ password, address ─▶ up
 *     up ─▶ saved as `last` ─▶ ended        up ─▶ ended (what happened since is gone)
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { login } from '../client/client.ts';
import { nodeTransport } from '../client/node-transport.ts';
import { digestOf } from './digest.ts';
import { type Layers, machineKey, prepareDisks, type Start } from './disks.ts';
import { type Machine, machineCommand } from './machine.ts';
import type { BoxPlaces } from './places.ts';
import { BoxProblem } from './problem.ts';
import { readRecord, type SnapshotName, writeRecord } from './record.ts';
import { sshCommand, sshMaster } from './ssh.ts';
import { bound, runTool } from './tool.ts';

/** QEMU's control socket. */
export interface Monitor {
  execute(command: string, args?: Readonly<Record<string, unknown>>, deadlineMs?: number): Promise<unknown>;
  close(): void;
}
export interface BoxParts {
  readonly clock: Clock;
  readonly say: (line: string) => void;
  /** Waits for the socket; `until` gives up. */
  readonly connectMonitor: (path: string, until: AbortSignal) => Promise<Monitor>;
}
export interface BoxStart {
  readonly layers: Layers;
  readonly machine: Machine;
  readonly start: Start;
  /** Root's password of the API. */
  readonly password: string;
  /** Set it even when the snapshot is said to have it. */
  readonly setPassword: boolean;
  readonly signal: AbortSignal;
}

const innerSocket = '/var/lib/guesthouse/run/xapi.sock';
const bootMs = 10 * 60_000;
const saveMs = 5 * 60_000;
// Every attempt costs the box a part of its one processor.
const pollMs = 500;

export class Box {
  readonly #at: BoxPlaces;
  readonly #parts: BoxParts;
  readonly #start: BoxStart;
  readonly #stop = new AbortController();
  /** Resolves when QEMU has ended. */
  readonly ended: Promise<void>;
  #qemu: ChildProcess;
  #master: ChildProcess | undefined;
  #monitor: Monitor | undefined;
  /** How long the console's log was before. */
  readonly #consoleFrom: number;

  /** QEMU has been started; use `startBox`. */
  constructor(at: BoxPlaces, start: BoxStart, parts: BoxParts) {
    this.#at = at;
    this.#parts = parts;
    this.#start = start;
    this.#consoleFrom = statSync(at.console, { throwIfNoEntry: false })?.size ?? 0;
    const snapshot = start.start.kind === 'resume' ? { snapshot: start.start.snapshot } : {};
    const machine = { ...start.machine, ...snapshot };
    this.#qemu = this.#spawn(machineCommand(machine), at.machine);
    this.ended = new Promise((resolve) => {
      this.#qemu.once('exit', () => resolve());
      this.#qemu.once('error', () => resolve());
    });
    void this.ended.then(() => this.#stop.abort(this.#lastWords()));
    start.signal.addEventListener('abort', () => this.#stop.abort(start.signal.reason), { once: true });
  }

  /** QEMU's exit status, once it has ended; null when it was killed. */
  get status(): number | null {
    return this.#qemu.exitCode;
  }

  /** Answers when the host in the box is ready. */
  async untilUp(): Promise<void> {
    const at = this.#at;
    const { start, machine, layers } = this.#start;
    const port = machine.sshPort;
    this.#monitor = await this.#parts.connectMonitor(at.qmp, this.#stop.signal);
    writeFileSync(at.sshPort, `${port}\n`, { mode: 0o600 });
    if (start.kind === 'boot') {
      const pristine = !start.keepsData;
      writeRecord(at.record, { key: machineKey(layers, machine), pristine, snapshots: {}, now: {} });
      await this.#untilConsoleSays('box: ssh');
      await this.#connectSsh();
      this.#parts.say('box: Debian is up; waiting for the toolstack');
      await this.#untilApi();
      await saveBox(at, this.#monitor, 'ready', port);
    } else await this.#connectSsh();
    await this.#tellNow();
    await this.#untilApi();
    await this.#setPassword();
    await this.#advertise();
  }

  /** Ends QEMU at once. What was not saved is gone. */
  async end(): Promise<void> {
    this.#master?.kill('SIGKILL');
    this.#qemu.kill('SIGKILL');
    await this.ended;
    this.#monitor?.close();
    for (const file of [this.#at.qmp, this.#at.qmpMore, this.#at.sshControl, this.#at.sshPort, this.#at.xapiSocket])
      rmSync(file, { force: true });
  }

  /** Runs a command in the box; answers what it printed. */
  exec(command: readonly string[], input?: string | Uint8Array): Promise<string> {
    const { signal } = this.#stop;
    const options = input === undefined ? { signal } : { signal, input };
    return runTool(sshCommand(this.#at, this.#start.machine.sshPort, command, false), options);
  }

  /** In a session of its own: an interrupt from the terminal is not for it. */
  #spawn(command: readonly string[], cwd: string): ChildProcess {
    const [program, ...args] = bound(command);
    const log = openSync(this.#at.qemuLog, 'a', 0o600);
    try {
      return spawn(program, args, { cwd, detached: true, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  async #connectSsh(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.#parts;
    const until = clock.now() + bootMs;
    while (clock.now() < until) {
      for (const socket of [this.#at.sshControl, this.#at.xapiSocket]) rmSync(socket, { force: true });
      const master = this.#spawn(sshMaster(this.#at, this.#start.machine.sshPort, innerSocket), '/');
      let gone = false;
      master.once('exit', () => (gone = true)).once('error', () => (gone = true));
      while (!gone && !existsSync(this.#at.sshControl)) await clock.sleep(20, signal);
      if (!gone) {
        this.#master = master;
        return;
      }
      await clock.sleep(200, signal);
    }
    throw new BoxProblem(`the box does not answer on ssh; see ${this.#at.console} and ${this.#at.qemuLog}`);
  }

  /** A host that comes out of a snapshot believes in the time at which it was saved, and would repeat its random numbers. */
  async #tellNow(): Promise<void> {
    const now = `${(this.#parts.clock.now() / 1000).toFixed(3)}\n`;
    await this.exec(['/opt/guesthouse/box/resume'], Buffer.concat([Buffer.from(now), randomBytes(256)]));
  }

  async #untilConsoleSays(line: string): Promise<void> {
    const { clock } = this.#parts;
    const until = clock.now() + bootMs;
    for (let told = 0; clock.now() < until; await clock.sleep(pollMs, this.#stop.signal)) {
      const all = this.#consoleLines();
      const said = all.filter((l) => l.startsWith('box: '));
      const failed = said.find((l) => l.startsWith('box: failed: '));
      if (failed)
        throw new BoxProblem(`the box did not start: ${failed.slice('box: failed: '.length)}; see ${this.#at.console}`);
      for (const each of said.slice(told)) if (each !== line) this.#parts.say(each);
      told = said.length;
      if (said.includes(line)) return;
    }
    throw new BoxProblem(`the box did not start within ${bootMs / 60_000} minutes; see ${this.#at.console}`);
  }
  #consoleLines(): string[] {
    if (!existsSync(this.#at.console)) return [];
    return readFileSync(this.#at.console)
      .subarray(this.#consoleFrom)
      .toString('utf8')
      .split(/[\r\n]+/);
  }

  async #untilApi(): Promise<void> {
    const { clock } = this.#parts;
    const until = clock.now() + bootMs;
    let why = '';
    while (clock.now() < until) {
      try {
        await this.#call(async (client) => void (await client.pool.get_all()));
        return;
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
      }
      await clock.sleep(pollMs, this.#stop.signal);
    }
    throw new BoxProblem(
      `the toolstack in the box does not answer (${why}); see 'guesthouse box exec -- cat /var/log/box/guesthouse.log'`,
    );
  }

  async #setPassword(): Promise<void> {
    const { start, password, setPassword } = this.#start;
    const record = readRecord(this.#at.record);
    if (!record) throw new BoxProblem(`${this.#at.record} has been taken away; start the box again`);
    const before = start.kind === 'resume' ? record.snapshots[start.snapshot]?.password : undefined;
    const digest = digestOf([password]);
    if (setPassword || before !== digest)
      await this.#call(
        async (client) => void (await client.session.change_password({ old_pwd: '', new_pwd: password })),
      );
    writeRecord(this.#at.record, { ...record, now: { password: digest } });
  }

  /** Clients are out here: the host in the box tells them the address that leads into it (see docs/consoles.md). */
  async #advertise(): Promise<void> {
    const { host, port } = this.#start.machine.api;
    const advertise = `http://${host}:${port}`;
    await this.#call(async (client) => {
      const records = Object.entries(await client.host.get_all_records());
      for (const [ref, { other_config }] of records)
        await client.host.set_other_config({ self: ref, value: { ...other_config, advertise } });
    });
  }

  /** Calls as root through the box's own socket. */
  async #call(f: (client: Awaited<ReturnType<typeof login>>) => Promise<void>): Promise<void> {
    const transport = nodeTransport({ socketPath: this.#at.xapiSocket });
    try {
      const client = await login(transport, 'root', '', 'guesthouse box');
      await f(client);
      await client.session.logout({});
    } finally {
      transport.close();
    }
  }

  #lastWords(): BoxProblem {
    const printed = existsSync(this.#at.qemuLog) ? readFileSync(this.#at.qemuLog, 'utf8').trim().split('\n') : [];
    const words = printed.filter((line) => line.startsWith('qemu-system')).at(-1);
    const failed = this.#consoleLines().find((l) => l.startsWith('box: failed: '));
    return new BoxProblem(
      `the box has ended${failed ? `: ${failed.slice(13)}` : words ? `: ${words}` : ''}; see ${this.#at.console}`,
    );
  }
}

/** Saves disks and memory of the box behind `monitor`; `up` comes back to the newest. The box goes on. */
export async function saveBox(at: BoxPlaces, monitor: Monitor, name: SnapshotName, sshPort: number): Promise<void> {
  await runTool(sshCommand(at, sshPort, ['sync'], false));
  const record = readRecord(at.record);
  if (!record) throw new BoxProblem(`${at.record} has been taken away; start the box again`);
  const { [name]: _, ...others } = record.snapshots;
  // Whoever is killed meanwhile leaves a record without this snapshot.
  writeRecord(at.record, { ...record, snapshots: others });
  const said = await monitor.execute('human-monitor-command', { 'command-line': `savevm ${name}` }, saveMs);
  if (typeof said === 'string' && said.trim() !== '')
    throw new BoxProblem(`the box could not be saved: ${said.trim()}`);
  writeRecord(at.record, { ...record, snapshots: { ...others, [name]: record.now } });
}

/** Prepares the disks and starts QEMU. */
export async function startBox(at: BoxPlaces, start: BoxStart, parts: BoxParts): Promise<Box> {
  await prepareDisks(at, start.layers, start.start);
  return new Box(at, start, parts);
}
