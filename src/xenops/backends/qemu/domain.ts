/**
 * One domain: its record on disk, its QEMU, and what is known of both.
 *
 *     created ──launch──▶ paused ──cont──▶ running ──▶ ended ──destroy──▶ (gone)
 *        │                   ▲  ◀──stop──     │           ▲
 *        │                   └──── adopt ─────┘           │ the guest's end, the process's end, silence
 *        └──────── found half-made after a restart ───────┘
 */

import { bestEffort } from '../../../base/best-effort.ts';
import type { ProcessInfo } from '../../../contracts/processes.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { DomainEnd, Observed } from '../../backend.ts';
import { GuestAgent } from './agent.ts';
import { ConsoleHub } from './console-hub.ts';
import { complaint, endOfEvent, endOfLog, endOfStatus } from './ends.ts';
import type { DomainNeeds } from './needs.ts';
import { connectQmp, type Json, type Qmp, QmpClosed, type QmpEvent, QmpTimeout } from './qmp.ts';
import { type DomainRecord, guestOf, keepsWrites } from './record.ts';
import { stopTpm } from './tpm.ts';

type Power = Observed['power'];

export class Domain {
  readonly needs: DomainNeeds;
  record: DomainRecord;
  #power: Power = 'paused';
  #end: DomainEnd | undefined;
  #qmp: Qmp | undefined;
  #console: ConsoleHub | undefined;
  #agent: GuestAgent | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #actual: number;
  #leaving = false;
  #built = false;
  #heartbeat: (() => void) | undefined;
  /** While QEMU is expected to be silent (the last round of a migration) nobody asks whether it hangs. */
  #quiet = 0;
  /** The last command was not answered in time: there is no use in asking it to end. */
  #silent = false;
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #dead = new AbortController();

  constructor(needs: DomainNeeds, record: DomainRecord) {
    this.needs = needs;
    this.record = record;
    this.#actual = record.memoryTarget;
    this.#end = record.end;
    if (record.end) this.#power = 'ended';
  }
  get vm(): string {
    return this.record.spec.id;
  }
  get processId(): string {
    return this.record.process?.id ?? `qemu-${this.vm}-${this.record.domid}`;
  }
  get power(): Power {
    return this.#power;
  }
  /** Set up, and looked after. */
  get built(): boolean {
    return this.#built;
  }
  get actual(): number {
    return this.#actual;
  }
  get end(): DomainEnd | undefined {
    return this.#end;
  }
  /** While the QEMU is looked after. */
  get agent(): GuestAgent | undefined {
    return this.#agent;
  }
  /** Aborts when the QEMU is gone or is being taken away. */
  get dead(): AbortSignal {
    return this.#dead.signal;
  }

  /** Changes what is kept of the domain; durable enough to survive us, not the host. */
  async update(changes: Partial<DomainRecord>): Promise<void> {
    this.record = { ...this.record, ...changes };
    // Devices are attached side by side: their writes take turns, each with all that is known by then.
    const write = this.#writing.then(() => this.needs.folders.write(this.record));
    this.#writing = write.then(undefined, () => undefined);
    await write;
  }
  /** Runs a QMP command. Throws Bad_power_state when there is no QEMU to ask. */
  async execute(command: string, args?: Json, deadlineMs?: number): Promise<unknown> {
    if (!this.#qmp || this.#power === 'ended')
      throw xenopsErrors.make('Bad_power_state', {
        vm: this.vm,
        found: this.#describe(),
        expected: 'Running or Paused',
      });
    try {
      const answer = await this.#qmp.execute(command, args, deadlineMs);
      this.#silent = false;
      return answer;
    } catch (error) {
      this.#silent = error instanceof QmpTimeout;
      throw error;
    }
  }
  /** Every QMP event until the answer is called. */
  listen(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  changed(): void {
    if (!this.#leaving && this.#power !== 'ended') this.needs.emit({ event: 'changed', vm: this.vm });
  }
  /** While `f` runs, silence is no sign of hanging. */
  async quietly<T>(f: () => Promise<T>): Promise<T> {
    this.#quiet++;
    try {
      return await f();
    } finally {
      this.#quiet--;
    }
  }

  /**
   * Starts the QEMU with these arguments and connects; on failure there is none. `complete`: once it answers there is nothing
   * left to set up, so its record is written while it starts, and `settle` has nothing to wait for.
   */
  async launch(command: readonly string[], complete = false): Promise<void> {
    const { folders, processes, log } = this.needs;
    const paths = folders.paths(this.vm);
    this.#dead = new AbortController();
    try {
      const owner = this.needs.owner(this.record.domid);
      const info = await processes.process.start({
        id: this.processId,
        command,
        cwd: paths.run,
        log: paths.qemuLog,
        tags: { kind: 'guest', vm: this.vm, domid: String(this.record.domid) },
        ...(owner ?? {}),
      });
      const { id, pid, startTime } = info;
      this.record = { ...this.record, process: { id, pid, startTime } };
      const noted = complete ? this.update({ phase: 'built' }) : undefined;
      noted?.catch(() => undefined); // told below, once QEMU has answered
      await this.#connect(this.needs.patience.startMs);
      await noted;
    } catch (error) {
      const words = complaint(await this.#lastWords());
      this.#drop();
      await bestEffort('a QEMU that did not start', log, () => this.#endProcess(true));
      await this.update({ phase: 'created', process: undefined } as Partial<DomainRecord>);
      const found = error instanceof Error ? error.message : String(error);
      // That it hung up says nothing more than its own words.
      const reason = words === '' ? found : error instanceof QmpClosed ? words : `${found}; ${words}`;
      throw xenopsErrors.make('Failed_to_start_emulator', { vm: this.vm, reason }, { cause: error });
    }
  }
  /** The QEMU is set up: from now on it is looked after. */
  async settle(): Promise<void> {
    if (this.record.phase !== 'built') await this.update({ phase: 'built' });
    this.#built = true;
    this.#openLines();
    this.#beat();
  }
  /** Undoes `launch`. */
  async abandon(): Promise<void> {
    this.#built = false;
    this.#drop();
    await this.#endProcess(true);
    await this.update({ phase: 'created', process: undefined } as Partial<DomainRecord>);
    this.#power = 'paused';
  }
  /** Takes over a domain that was found; `info` is its process, if it has one. */
  async adopt(info: ProcessInfo | undefined): Promise<void> {
    const { record } = this;
    this.#built = record.phase === 'built';
    // Made and not built: it waits for that as before.
    if (!this.#built && !info) return;
    if (!this.#built) return this.#ended({ reason: 'killed', detail: 'half-made when the toolstack ended' }, false);
    if (!info?.running || info.startTime !== record.process?.startTime) return this.#foundGone(info);
    try {
      await this.#connect(this.needs.patience.silenceMs);
      // Whoever took its state is gone with the toolstack.
      await this.#ask('migrate_cancel');
      await this.#recognise();
      this.#openLines();
    } catch (error) {
      this.#drop();
      return this.#ended({ reason: 'hung', detail: `its QEMU does not answer: ${String(error)}` }, false);
    }
    this.#beat();
  }
  /** To the guest's console, and to its agent. */
  #openLines(): void {
    const { folders, clock, log } = this.needs;
    const { console: path, serial, consoleLog } = folders.paths(this.vm);
    this.#console = new ConsoleHub({ path, serial, consoleLog, clock, log });
    if (!this.record.machine.agent) return;
    const agent = new GuestAgent(this);
    this.#agent = agent;
    void bestEffort('an agent that is there already', log, () => agent.find());
  }
  #closeLines(): void {
    this.#console?.close();
    this.#console = undefined;
    this.#agent?.close();
    this.#agent = undefined;
  }
  async #recognise(): Promise<void> {
    const { UUID } = (await this.#ask('query-uuid')) as { UUID: string };
    if (UUID.toLowerCase() !== guestOf(this.record).toLowerCase()) throw new Error(`its QEMU runs the guest ${UUID}`);
    const { status } = (await this.#ask('query-status')) as { status: string };
    const end = endOfStatus(status, await this.#lastWords());
    if (end) return this.#ended(end, false);
    // One that sleeps (S3) has not been paused.
    this.#power = status === 'running' || status === 'suspended' ? 'running' : 'paused';
    const balloon = await this.#ask('query-balloon').catch(() => undefined); // a guest without the driver has none
    this.#actual = (balloon as { actual?: number } | undefined)?.actual ?? this.#actual;
  }
  async #foundGone(info: ProcessInfo | undefined): Promise<void> {
    const detail = info?.exitSignal ? `its QEMU ended with ${info.exitSignal}` : 'its QEMU was gone';
    const end = this.#end ?? endOfLog(await this.#lastWords()) ?? { reason: 'killed', detail };
    await this.#ended(end, false);
  }

  /** From now on it is the domain of `to`, whose folder is free. */
  async rename(to: string): Promise<void> {
    await this.update({ guest: guestOf(this.record), becoming: to });
    await this.#writing;
    this.needs.folders.rename(this.vm, to);
    const { becoming: _, ...record } = this.record;
    this.#closeLines();
    this.record = { ...record, spec: { ...record.spec, id: to } };
    await this.update({});
    if (this.#built && this.#power !== 'ended') this.#openLines();
    this.changed();
  }
  /** Ends the QEMU, forgets its process and removes the folder. */
  async destroy(): Promise<void> {
    this.#leaving = true;
    const hung = this.#end?.reason === 'hung' || this.#silent || !this.#qmp;
    const atOnce = hung || !keepsWrites(this.record);
    this.#dead.abort(new Error('the domain is destroyed'));
    this.#drop();
    await this.#writing;
    try {
      await this.#endProcess(atOnce);
    } catch (error) {
      await this.#comeBack();
      throw error;
    }
    await this.needs.folders.remove(this.vm);
  }
  /** The QEMU could not be ended (the supervisor is away): it is looked after until somebody tries again. */
  async #comeBack(): Promise<void> {
    this.#leaving = false;
    if (this.#end || !this.#built) return;
    this.#dead = new AbortController();
    try {
      await this.#connect(this.needs.patience.commandMs);
      await this.#recognise();
      this.#openLines();
      this.#beat();
    } catch (error) {
      this.#drop();
      await this.#ended({ reason: 'killed', detail: `it was to be destroyed: ${String(error)}` });
    }
  }
  /** Lets go of the QEMU, which runs on. */
  release(): void {
    this.#leaving = true;
    this.#drop();
  }
  /** The supervisor says that the process has ended. */
  async processEnded(info: ProcessInfo): Promise<void> {
    // Its end may be told before its start was answered.
    if (this.record.process && info.startTime !== this.record.process.startTime) return;
    const how = info.exitSignal ? `ended with ${info.exitSignal}` : `exited with status ${info.exitCode ?? 'unknown'}`;
    if (!this.built) return this.#dead.abort(new Error(`QEMU ${how}`));
    await this.#ended({ reason: 'killed', detail: `QEMU ${how}` });
  }

  async #connect(withinMs: number): Promise<void> {
    const { clock, folders, patience } = this.needs;
    const late = new AbortController();
    const cancel = clock.after(withinMs, () => late.abort(new Error(`QEMU did not answer within ${withinMs} ms`)));
    try {
      this.#qmp = await connectQmp(
        folders.paths(this.vm).qmp,
        {
          clock,
          deadlineMs: patience.commandMs,
          onEvent: (event) => this.#event(event),
          onClosed: (reason) => void this.#lost(reason),
        },
        AbortSignal.any([late.signal, this.dead]),
      );
    } finally {
      cancel();
    }
  }
  #ask(command: string): Promise<unknown> {
    if (!this.#qmp) throw new Error('not connected');
    return this.#qmp.execute(command, undefined, this.needs.patience.silenceMs);
  }
  #event(event: QmpEvent): void {
    for (const listener of this.#listeners) listener(event);
    const end = endOfEvent(event);
    if (end) return void this.#ended(end);
    if (this.#power === 'ended') return;
    if (event.event === 'RESUME' || event.event === 'STOP') {
      this.#power = event.event === 'RESUME' ? 'running' : 'paused';
      this.changed();
    } else if (event.event === 'BALLOON_CHANGE') {
      this.#actual = Number(event.data['actual'] ?? this.#actual);
      this.changed();
    } else if (event.event === 'RTC_CHANGE') {
      // Counted from where the clock was put at the start.
      const timeOffsetS = Math.round(
        Number(this.record.spec.platform['timeoffset'] ?? 0) + Number(event.data['offset']),
      );
      if (!Number.isSafeInteger(timeOffsetS) || timeOffsetS === this.record.timeOffsetS) return;
      void bestEffort("a guest's clock", this.needs.log, () => this.update({ timeOffsetS })).then(() => this.changed());
    } else if (event.event === 'BLOCK_IO_ERROR') {
      this.needs.log.warn('a disk of a guest failed', { vm: this.vm, ...event.data });
    }
  }
  /** The connection ended unasked: mostly because QEMU did. */
  async #lost(reason: string): Promise<void> {
    if (this.#leaving || this.#power === 'ended' || !this.built) return;
    const info = await bestEffort('whether the process runs', this.needs.log, () =>
      this.needs.processes.process.stat({ id: this.processId }),
    );
    if (this.#leaving || this.record.end) return;
    if (info && !info.running) return this.processEnded(info);
    await this.#ended({ reason: 'killed', detail: `QEMU's control socket ended: ${reason}` });
  }
  #beat(): void {
    const { clock, patience, folders, log } = this.needs;
    this.#heartbeat = clock.after(patience.heartbeatMs, () => {
      if (this.#leaving || this.#power === 'ended') return;
      void bestEffort('the size of a console log', log, () => folders.turnOver(this.vm));
      void this.#ping(true).finally(() => this.#beat());
    });
  }
  /** A missed deadline may be our own slowness, so it takes two to call a QEMU hung. */
  async #ping(again: boolean): Promise<void> {
    if (!this.#qmp || this.#quiet > 0) return;
    try {
      await this.#qmp.execute('query-status', undefined, this.needs.patience.silenceMs / 2);
    } catch (error) {
      if (!(error instanceof QmpTimeout) || this.#quiet > 0) return;
      if (again) return this.#ping(false);
      await this.#ended({ reason: 'hung', detail: error.message });
    }
  }
  async #ended(found: DomainEnd, announce = true): Promise<void> {
    if (this.#power === 'ended' && this.#end) return;
    const reboots = this.record.rebooting && found.reason === 'poweroff';
    const end: DomainEnd = reboots ? { reason: 'reboot', detail: 'the guest powered off to reboot, as asked' } : found;
    this.#power = 'ended';
    this.#end = end;
    this.#dead.abort(new Error(end.detail));
    this.#heartbeat?.();
    if (announce && !this.#leaving) this.needs.emit({ event: 'ended', vm: this.vm, end });
    if (!this.#leaving) await bestEffort('the note of an end', this.needs.log, () => this.update({ end }));
  }
  #drop(): void {
    this.#closeLines();
    this.#heartbeat?.();
    this.#heartbeat = undefined;
    this.#qmp?.close();
    this.#qmp = undefined;
  }
  async #endProcess(atOnce: boolean): Promise<void> {
    const { clock, log, processes } = this.needs;
    const { process } = processes;
    const id = this.processId;
    if (atOnce) await process.kill({ id });
    else await process.stop({ id, timeoutMs: this.needs.patience.quitMs });
    await stopTpm(this);
    // Nobody waits for that: what is not forgotten now is when the next toolstack opens.
    const forget = () => bestEffort('the memory of a QEMU that has ended', log, () => process.forget({ id }));
    clock.after(0, () => void forget());
  }
  #lastWords(): Promise<string> {
    return this.needs.folders.lastWords(this.vm);
  }
  #describe(): string {
    if (this.#end) return `ended (${this.#end.reason})`;
    return this.#built ? this.#power : 'not built';
  }
}
