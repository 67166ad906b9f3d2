/**
 * One child and what becomes of it.
 *
 *     (new) ──start──▶ running ──ends unasked, `restart`──▶ pausing ──the pause is over──▶ running
 *       │ exec fails      │                                    │
 *       ▼                 │ ends otherwise                     │ stop, kill
 *     (gone)              └──────────────▶ ended ◀─────────────┘
 *
 * A supervisor that returns enters at `running` (adopted: not its parent, so the exit status stays unknown), `pausing` or `ended`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, statSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type ProcessInfo, type ProcessSpec, processErrors } from '../contracts/processes.ts';
import { openChildLog } from './child-log.ts';
import { bootId, findByEnvironment, isAlive, statOf } from './proc.ts';
import type { ChildRecord, Records } from './records.ts';

/** Milliseconds before the first restart; doubled at each further one, up to the longest, until the child has come up. */
const firstPauseMs = 100;
const longestPauseMs = 30_000;
/** A child that ran this long starts with short pauses again. */
const soundAfterMs = 30_000;
/** How often a child that is being stopped and is not ours to wait for is looked at. */
const goneCheckMs = 10;

export interface ChildNeeds {
  readonly records: Records;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly announce: (event: 'started' | 'exited', info: ProcessInfo) => void;
}

export class Child {
  readonly #needs: ChildNeeds;
  #record: ChildRecord;
  #adopted = false;
  #starting = false;
  /** Its end was asked for. */
  #ending = false;
  #startedAt = 0;
  #pauseMs = firstPauseMs;
  #cancelPause: (() => void) | undefined;
  #onGone: (() => void)[] = [];

  private constructor(needs: ChildNeeds, record: ChildRecord) {
    this.#needs = needs;
    this.#record = record;
  }
  /** Starts a child, or throws `Failed_to_start` and leaves nothing. */
  static async start(needs: ChildNeeds, spec: ProcessSpec, reserve: (child: Child) => void): Promise<Child> {
    const child = new Child(needs, blank(spec));
    reserve(child);
    try {
      await child.#spawn();
    } catch (error) {
      needs.records.remove(spec.id);
      throw error;
    }
    return child;
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
  info(): ProcessInfo {
    const { spec, pid, startTime, running, exitCode, exitSignal } = this.#record;
    const { id, command, tags = {} } = spec;
    return { id, pid, startTime, command, tags, running, exitCode, exitSignal, adopted: this.#adopted };
  }
  /** Looks whether an adopted child has ended. */
  check(): void {
    if (this.adopted && !isAlive(this.#record.pid, this.#record.startTime)) this.#ended(null, null);
  }
  /** TERM, then KILL after the timeout; answers when it is gone. */
  async stop(timeoutMs: number): Promise<void> {
    this.#noRestart();
    if (!this.running) return;
    const gone = this.#gone();
    this.#signal('SIGTERM');
    const cancel = this.#needs.clock.after(timeoutMs, () => this.#killGroup());
    await gone.finally(cancel);
  }
  async kill(): Promise<void> {
    this.#noRestart();
    if (!this.running) return;
    const gone = this.#gone();
    this.#killGroup();
    await gone;
  }
  /** It has come up: what made it end before does not count any more. */
  ready(): void {
    this.#pauseMs = firstPauseMs;
  }
  /** The supervisor ends: whoever comes next looks after it. */
  leave(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }
  forget(): void {
    this.leave();
    this.#needs.records.remove(this.spec.id);
  }

  #resume(): void {
    this.#adopted = true;
    const record = this.#record;
    if (record.boot !== bootId()) this.#change({ running: false });
    else if (record.pid === 0) this.#findStarted();
    if (!this.running && record.spec.restart && !record.stopAsked && record.boot === bootId()) this.#pause();
    if (!this.running) return;
    if (isAlive(this.#record.pid, this.#record.startTime))
      this.#needs.log.info('adopted', { id: record.spec.id, pid: this.#record.pid });
    else this.#ended(null, null);
  }
  /** The supervisor was killed between starting it and writing down its pid. */
  #findStarted(): void {
    const found = findByEnvironment(marker(this.#record.token));
    if (found) this.#change({ pid: found.pid, startTime: found.startTime, running: true });
    else this.#change({ running: false });
  }
  #change(part: Partial<ChildRecord>): void {
    this.#record = { ...this.#record, ...part };
    this.#needs.records.write(this.#record);
  }
  #noRestart(): void {
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    this.#ending = true;
    // One that is never started again needs no note of why.
    if (this.spec.restart && !this.#record.stopAsked) this.#change({ stopAsked: true });
  }
  async #spawn(): Promise<void> {
    const { spec } = this.#record;
    const token = this.#needs.ids.uuid();
    this.#change({ token, boot: bootId(), pid: 0, startTime: '', running: false, exitCode: null, exitSignal: null });
    this.#starting = true;
    this.#ending = false;
    const process = await spawned(spec, token).finally(() => {
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
  #ended(exitCode: number | null, exitSignal: string | null): void {
    if (!this.running) return;
    const end = { running: false, exitCode, exitSignal };
    // Whoever asked for its end hears of it now and lets it be forgotten; a successor would see that it is gone.
    if (this.#ending) this.#record = { ...this.#record, ...end };
    else this.#change(end);
    for (const f of this.#onGone.splice(0)) f();
    this.#needs.log.info('ended', { id: this.spec.id, pid: this.#record.pid, exitCode, exitSignal });
    this.#needs.announce('exited', this.info());
    if (this.spec.restart && !this.#record.stopAsked) this.#pause();
  }
  #pause(): void {
    const { clock, log } = this.#needs;
    if (this.#startedAt > 0 && clock.now() - this.#startedAt >= soundAfterMs) this.#pauseMs = firstPauseMs;
    const ms = this.#pauseMs;
    this.#pauseMs = Math.min(2 * ms, longestPauseMs);
    log.warn('ended unasked; starting it again', { id: this.spec.id, inMs: ms });
    this.#cancelPause = clock.after(ms, () => {
      this.#cancelPause = undefined;
      this.#spawn().catch((error: unknown) => {
        log.error('could not be started again', { id: this.spec.id, error: String(error) });
        this.#pause();
      });
    });
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
  #signal(signal: NodeJS.Signals): void {
    this.#send(this.#record.pid, signal);
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

const blank = (spec: ProcessSpec): ChildRecord => ({
  spec,
  token: '',
  boot: '',
  pid: 0,
  startTime: '',
  running: false,
  stopAsked: false,
  exitCode: null,
  exitSignal: null,
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
    log = openChildLog(spec.log);
  } catch (error) {
    throw failed(`its log cannot be opened: ${(error as Error).message}`, error);
  }
  try {
    const child = spawn(file, args, {
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
