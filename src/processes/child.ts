/**
 * One child's process: started, watched, ended. What follows its end is `strategy.ts`'s affair.
 *
 *     (not running) ──spawn──▶ running ──its end, asked for or not──▶ (not running)
 *                      │ exec fails
 *                      ▼
 *                  Failed_to_start
 *
 * A supervisor that returns adopts it (not its parent, so the exit status stays unknown).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, statSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type ProcessInfo, type ProcessSpec, processErrors } from '../contracts/processes.ts';
import { type Confined, confine } from './cgroups.ts';
import { openChildLog } from './child-log.ts';
import { bootId, findByEnvironment, isAlive, statOf } from './proc.ts';
import { lastWords } from './readiness.ts';
import type { ChildRecord, Records } from './records.ts';
import type { Policy } from './strategy.ts';

/** How often a child that is being stopped and is not ours to wait for is looked at. */
const goneCheckMs = 10;

export interface ChildNeeds {
  /** Tells this supervisor's control groups from those of others: its folder. */
  readonly owner: string;
  readonly records: Records;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly announce: (event: 'started' | 'exited' | 'failed', info: ProcessInfo) => void;
  /** A run is over. `ranMs` is 0 when unknown. */
  readonly onEnded: (child: Child, clean: boolean, ranMs: number) => void;
}

export class Child {
  readonly #needs: ChildNeeds;
  #record: ChildRecord;
  #adopted = false;
  #starting = false;
  /** Its end was asked for. */
  #ending = false;
  #startedAt = 0;
  #confined: Confined | undefined;
  #onGone: (() => void)[] = [];

  private constructor(needs: ChildNeeds, record: ChildRecord) {
    this.#needs = needs;
    this.#record = record;
  }
  /** One that was never started. */
  static create(needs: ChildNeeds, spec: ProcessSpec, order: number): Child {
    return new Child(needs, blank(spec, order));
  }
  /** Takes over what an earlier supervisor left. */
  static adopt(needs: ChildNeeds, record: ChildRecord): Child {
    const child = new Child(needs, record);
    child.#resume();
    return child;
  }
  get running(): boolean {
    return this.#record.running;
  }
  /** Runs, or is about to: its id is taken. */
  get active(): boolean {
    return this.#starting || this.#record.running;
  }
  /** Runs, but its end is only seen by looking. */
  get adopted(): boolean {
    return this.#adopted && this.#record.running;
  }
  get spec(): ProcessSpec {
    return this.#record.spec;
  }
  /** Seconds since the epoch; null when unknown. */
  get startedAt(): number | null {
    return this.#startedAt === 0 ? null : Math.floor(this.#startedAt / 1000);
  }
  get ofThisBoot(): boolean {
    return this.#record.boot === bootId();
  }
  get record(): ChildRecord {
    return this.#record;
  }
  /** Of this boot, not running, and neither stopped nor given up: its policy says whether it comes back. */
  get wantsBack(): boolean {
    const { running, boot, stopAsked, failed, waiting, exitCode } = this.#record;
    if (running || boot !== bootId() || stopAsked || failed !== null) return false;
    return waiting || this.policy === 'permanent' || (this.policy === 'transient' && exitCode !== 0);
  }
  get policy(): Policy {
    return this.spec.restart ?? 'temporary';
  }
  info(): ProcessInfo {
    const { spec, pid, startTime, running, exitCode, exitSignal, failed } = this.#record;
    const { id, command, tags = {} } = spec;
    const end = { exitCode, exitSignal, ...(failed === null ? {} : { failed }) };
    return { id, pid, startTime, command, tags, running, ...end, adopted: this.#adopted };
  }
  /** Looks whether an adopted child has ended. */
  check(): void {
    if (this.adopted && !isAlive(this.#record.pid, this.#record.startTime)) this.#ended(null, null);
  }
  /** Asks, and kills after the timeout; answers when it is gone. */
  async stop(timeoutMs: number): Promise<void> {
    if (!this.running) return;
    const gone = this.#gone();
    const { pid } = this.#record;
    // What stands between it and its own processes does not pass signals on.
    this.#send(this.spec.namespaces?.includes('pid') ? -pid : pid, this.spec.stopSignal ?? 'SIGTERM');
    const cancel = this.#needs.clock.after(timeoutMs, () => this.#killGroup());
    await gone.finally(cancel);
  }
  /** With whatever it has started itself; answers when it is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    const gone = this.#gone();
    this.#killGroup();
    await gone;
  }
  /** Its end is asked for: no successor starts it again. */
  endAsked(): void {
    this.#ending = true;
    // One that is never started again needs no note of why.
    if (this.policy !== 'temporary' && !this.#record.stopAsked) this.#change({ stopAsked: true });
  }
  /** It waits for others: a successor has to know of it. */
  wait(): void {
    this.#change({ waiting: true, boot: bootId() });
  }
  /** It is given up. */
  fail(why: string): void {
    const said = this.lastWords();
    this.#change({ failed: said === '' ? why : `${why}; its last words:\n${said}` });
    this.#needs.log.error('given up', { id: this.spec.id, why, said });
    this.#needs.announce('failed', this.info());
  }
  /** What this run or the last one has printed last. */
  lastWords(): string {
    return lastWords(this.spec.log, this.#record.logFrom);
  }
  forget(): void {
    this.#needs.records.remove(this.spec.id);
  }

  #resume(): void {
    this.#adopted = true;
    const record = this.#record;
    if (record.boot !== bootId()) this.#change({ running: false });
    else if (record.pid === 0) this.#findStarted();
    if (!this.running) return;
    if (isAlive(this.#record.pid, this.#record.startTime)) {
      this.#needs.log.info('adopted', { id: record.spec.id, pid: this.#record.pid });
      this.#confineAgain();
    } else this.#change({ running: false, exitCode: null, exitSignal: null });
  }
  /** The supervisor was killed between starting it and writing down its pid. */
  #findStarted(): void {
    const found = this.#record.token === '' ? undefined : findByEnvironment(marker(this.#record.token));
    if (found) this.#change({ pid: found.pid, startTime: found.startTime, running: true });
    else this.#change({ running: false });
  }
  #change(part: Partial<ChildRecord>): void {
    this.#record = { ...this.#record, ...part };
    this.#needs.records.write(this.#record);
  }
  /** Starts it, or throws `Failed_to_start`. */
  async spawn(restarts: number): Promise<void> {
    const { spec } = this.#record;
    const token = this.#needs.ids.uuid();
    const before = { token, boot: bootId(), pid: 0, startTime: '', running: false, exitCode: null, exitSignal: null };
    const logFrom = statSync(spec.log, { throwIfNoEntry: false })?.size ?? 0;
    this.#change({ ...before, restarts, waiting: false, failed: null, logFrom });
    this.#starting = true;
    this.#ending = false;
    const process = await this.#spawnConfined(spec, token).finally(() => {
      this.#starting = false;
    });
    const pid = process.pid ?? 0;
    process.once('exit', (code, signal) => this.#ended(code, signal));
    this.#adopted = false;
    this.#startedAt = this.#needs.clock.now();
    // It cannot be gone from /proc before its exit was noticed: this supervisor is its parent.
    this.#change({ pid, startTime: statOf(pid)?.startTime ?? '', running: true });
    this.#needs.announce('started', this.info());
  }
  /** Its limits stand before it runs. */
  async #spawnConfined(spec: ProcessSpec, token: string): Promise<ChildProcess> {
    const confined = this.#confine();
    try {
      const process = await spawned(spec, token);
      confined?.take(process.pid ?? 0);
      this.#confined = confined;
      return process;
    } catch (error) {
      confined?.drop();
      throw error;
    }
  }
  /** It is in its groups already; its end has to drop them. */
  #confineAgain(): void {
    try {
      this.#confined = this.#confine();
    } catch (error) {
      this.#needs.log.warn('the limits of an adopted child are not sure', { id: this.spec.id, error: String(error) });
    }
  }
  #confine(): Confined | undefined {
    const { id, limits, command } = this.spec;
    if (limits === undefined) return undefined;
    try {
      return confine(this.#needs.owner, id, limits);
    } catch (error) {
      const reason = `its limits cannot be set: ${(error as Error).message}`;
      throw processErrors.make('Failed_to_start', { command: command[0], reason }, { cause: error });
    }
  }
  #ended(exitCode: number | null, exitSignal: string | null): void {
    if (!this.running) return;
    const end = { running: false, exitCode, exitSignal };
    // Whoever asked for its end hears of it now and lets it be forgotten; a successor would see that it is gone.
    if (this.#ending) this.#record = { ...this.#record, ...end };
    else this.#change(end);
    this.#confined?.drop();
    for (const f of this.#onGone.splice(0)) f();
    this.#needs.log.info('ended', { id: this.spec.id, pid: this.#record.pid, exitCode, exitSignal });
    this.#needs.announce('exited', this.info());
    const ranMs = this.#startedAt > 0 ? this.#needs.clock.now() - this.#startedAt : 0;
    this.#needs.onEnded(this, exitCode === 0, ranMs);
  }
  /** Resolves when this run of it has ended. */
  #gone(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#onGone.push(resolve));
    if (this.#adopted) this.#lookUntilGone();
    return gone;
  }
  #lookUntilGone(): void {
    this.check();
    if (this.running) this.#needs.clock.after(goneCheckMs, () => this.#lookUntilGone());
  }
  /** With whatever it has started itself: it leads its own group. */
  #killGroup(): void {
    this.#send(-this.#record.pid, 'SIGKILL');
  }
  #send(target: number, signal: NodeJS.Signals): void {
    if (!this.running || !isAlive(this.#record.pid, this.#record.startTime)) return;
    try {
      process.kill(target, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

const marker = (token: string) => `GUESTHOUSE_CHILD=${token}`;

const blank = (spec: ProcessSpec, order: number): ChildRecord => ({
  spec,
  token: '',
  boot: '',
  pid: 0,
  startTime: '',
  running: false,
  stopAsked: false,
  exitCode: null,
  exitSignal: null,
  order,
  restarts: 0,
  waiting: false,
  failed: null,
  logFrom: 0,
});

/** Runs the command in a session of its own, output appended to its log. Rejects with `Failed_to_start`. */
async function spawned(spec: ProcessSpec, token: string): Promise<ChildProcess> {
  const [file = '', ...args] = spec.command;
  const failed = (reason: string, cause?: unknown) =>
    processErrors.make('Failed_to_start', { command: file || '(no command)', reason }, { cause });
  if (!file.startsWith('/')) throw failed('its path is not absolute');
  if (spec.cwd !== undefined && !statSync(spec.cwd, { throwIfNoEntry: false })?.isDirectory())
    throw failed(`the working folder ${spec.cwd} does not exist`);
  const { NOTIFY_SOCKET: _, ...inherited } = process.env;
  let log: number;
  try {
    log = openChildLog(spec.log, spec.logSize, spec.logKeep);
  } catch (error) {
    throw failed(`its log cannot be opened: ${(error as Error).message}`, error);
  }
  try {
    const [program = file, ...rest] = inNamespaces(spec.namespaces ?? [], [file, ...args]);
    const child = spawn(program, rest, {
      detached: true,
      shell: false,
      stdio: ['ignore', log, log],
      env: { ...(spec.env ?? inherited), GUESTHOUSE_CHILD: token },
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      ...(spec.uid === undefined ? {} : { uid: spec.uid }),
      ...(spec.gid === undefined ? {} : { gid: spec.gid }),
    });
    if (child.pid === undefined) await new Promise((_resolve, reject) => child.once('error', reject));
    // Later errors are about signals to it; those are answered by `kill` itself.
    child.on('error', () => undefined);
    return child;
  } catch (error) {
    throw failed(reasonOf(error), error);
  } finally {
    closeSync(log);
  }
}

const namespaceOptions = {
  ...{ mount: ['--mount'], network: ['--net'], ipc: ['--ipc'], uts: ['--uts'] },
  pid: ['--pid', '--fork', '--kill-child', '--mount-proc'],
} as const;
/** `unshare` becomes the program; with processes of its own the program is its only child, which ends with it. */
function inNamespaces(
  namespaces: NonNullable<ProcessSpec['namespaces']>,
  command: readonly string[],
): readonly string[] {
  if (namespaces.length === 0) return command;
  return ['/usr/bin/unshare', ...namespaces.flatMap((name) => namespaceOptions[name]), '--', ...command];
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'not executable by that user',
  EPERM: 'this needs root',
  E2BIG: 'its arguments are too long',
  EAGAIN: 'the host has too many processes',
};
function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return reasons[code] ?? (error as Error).message;
}
