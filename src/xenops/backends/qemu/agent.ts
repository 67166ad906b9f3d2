/**
 * QEMU's guest agent in the guest of one domain: asked every so often what there is to tell, and for what only a guest can do.
 *
 *     no port ──the guest opens it──▶ asked ──answers──▶ a report, asked again later
 *        ▲                             ▲ └──silence, twice──▶ no report, asked again later
 *        └──── closes it, ends ────────┴─────────────────────────────┘
 *
 * Frozen filesystems: noted before they are, so that a toolstack that was killed meanwhile lets them go when it is back; and let go
 * after `freezeMs` when nobody does so before.
 */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Call } from '../../../contracts/contract.ts';
import type { GuestReport } from '../../../contracts/guest.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import { AgentChannel, AgentError } from './agent-channel.ts';
import { reportOf } from './agent-report.ts';
import type { Domain } from './domain.ts';

/** The port's name in QEMU, and in its events. */
export const agentPort = 'agent';
/** The name by which agents look for the port. */
export const agentName = 'org.qemu.guest_agent.0';
/** At first a guest is asked more often: its addresses are on their way. */
const eagerLooks = 6;
const mostSilences = 2;

export class GuestAgent {
  readonly #domain: Domain;
  readonly #channel: AgentChannel;
  readonly #deaf: () => void;
  #report: GuestReport | undefined;
  #told = '';
  #open = false;
  #closed = false;
  #looks = 0;
  #silences = 0;
  #nextLook: (() => void) | undefined;
  #autoThaw: (() => void) | undefined;
  #overdue = false;
  #asked: 'poweroff' | 'reboot' | undefined;

  constructor(domain: Domain) {
    this.#domain = domain;
    this.#channel = new AgentChannel(domain.needs.folders.paths(domain.vm).agent, domain.needs.clock);
    this.#deaf = domain.listen(({ event, data }) => {
      if (event === 'VSERPORT_CHANGE' && data['id'] === agentPort) this.#port(data['open'] === true);
    });
  }
  /** What it last said; undefined while there is none that answers. */
  get report(): GuestReport | undefined {
    return this.#report;
  }
  /** Looks whether the guest has opened the port before anybody listened. */
  async find(): Promise<void> {
    const ports = (await this.#domain.execute('query-chardev')) as { label?: string; 'frontend-open'?: boolean }[];
    if (!this.#closed && ports.some((p) => p.label === agentPort && p['frontend-open'])) this.#port(true);
  }
  close(): void {
    this.#closed = true;
    this.#deaf();
    this.#nextLook?.();
    this.#autoThaw?.();
    this.#channel.close();
  }

  /** Whether it was not asked for this before. */
  firstRequest(what: 'poweroff' | 'reboot'): boolean {
    const first = this.#asked !== what;
    this.#asked = what;
    return first;
  }
  /** Asks it to end; false when it cannot be asked. */
  async requestEnd(what: 'poweroff' | 'reboot'): Promise<boolean> {
    if (!this.#report?.can.includes('shutdown')) return false;
    const { log, patience } = this.#domain.needs;
    const mode = what === 'poweroff' ? 'powerdown' : 'reboot';
    const told = await bestEffort('an agent that was to end its guest', log, async () => {
      await this.#channel.tell('guest-shutdown', { mode }, patience.agentTellMs);
      return true;
    });
    return told ?? false;
  }
  /** Has the guest use so many of the processors that it has; false when it cannot be asked. */
  async useVcpus(count: number): Promise<boolean> {
    if (!this.#report?.can.includes('vcpus')) return false;
    const { agentMs } = this.#domain.needs.patience;
    const found = await this.#channel.call('guest-get-vcpus', undefined, agentMs);
    const all = (Array.isArray(found) ? found : []).slice(0, 1024).flatMap((each: unknown) => {
      const { 'logical-id': id, online } = (each ?? {}) as { 'logical-id'?: unknown; online?: unknown };
      return typeof id === 'number' && typeof online === 'boolean' ? [{ id, online }] : [];
    });
    const sorted = all.sort((a, b) => a.id - b.id).map(({ id, online }, i) => ({ id, online, wanted: i < count }));
    const vcpus = sorted.filter((v) => v.online !== v.wanted).map((v) => ({ 'logical-id': v.id, online: v.wanted }));
    // It answers how many of the list it has dealt with.
    if (vcpus.length === 0) return true;
    return (await this.#channel.call('guest-set-vcpus', { vcpus }, agentMs)) === vcpus.length;
  }
  /** Failed_to_freeze. */
  async freeze(call: Call): Promise<void> {
    const domain = this.#domain;
    if (domain.record.frozen) return;
    if (!this.#report?.can.includes('freeze')) throw this.#failed('no agent in the guest answers that could do so');
    const { clock, log, patience } = domain.needs;
    this.#overdue = false;
    await domain.update({ frozen: true });
    try {
      await this.#channel.call('guest-fsfreeze-freeze', undefined, patience.freezeMs);
      call.signal?.throwIfAborted();
    } catch (error) {
      // What it was asked it may yet do.
      await bestEffort('filesystems that were not to be frozen', log, () => this.#thaw());
      throw this.#failed(error instanceof Error ? error.message : String(error), error);
    }
    this.#autoThaw = clock.after(patience.freezeMs, () => {
      this.#overdue = true;
      log.warn('filesystems that were frozen for too long go on', { vm: domain.vm });
      void bestEffort('filesystems that stay frozen', log, () => this.#thaw());
    });
  }
  /** Failed_to_freeze when they have gone on before. */
  async thaw(): Promise<void> {
    if (this.#domain.record.frozen) await this.#thaw();
    const { freezeMs } = this.#domain.needs.patience;
    if (this.#overdue) throw this.#failed(`they were let go after ${freezeMs / 1000} s, before all was done`);
  }
  async #thaw(): Promise<void> {
    this.#autoThaw?.();
    this.#autoThaw = undefined;
    await this.#channel.call('guest-fsfreeze-thaw', undefined, this.#domain.needs.patience.freezeMs);
    await this.#domain.update({ frozen: false });
  }
  #failed(reason: string, cause?: unknown) {
    return xenopsErrors.make('Failed_to_freeze', { vm: this.#domain.vm, reason }, { cause });
  }

  #port(open: boolean): void {
    if (open === this.#open) return;
    this.#open = open;
    this.#looks = 0;
    this.#silences = 0;
    if (open) void this.#look();
    else this.#say(undefined);
  }
  #say(report: GuestReport | undefined): void {
    this.#report = report;
    const text = JSON.stringify(report) ?? '';
    if (text === this.#told) return;
    this.#told = text;
    this.#domain.changed();
  }
  async #look(): Promise<void> {
    const { clock, log, patience } = this.#domain.needs;
    this.#nextLook?.();
    if (this.#domain.power === 'running' && !this.#autoThaw) {
      await bestEffort('what an agent in a guest says', log, () => this.#ask());
    }
    if (!this.#open || this.#closed) return;
    const ms = this.#looks++ < eagerLooks ? patience.agentEagerMs : patience.agentIdleMs;
    this.#nextLook = clock.after(ms, () => void this.#look());
  }
  async #ask(): Promise<void> {
    try {
      if (this.#domain.record.frozen) await this.#thaw();
      const { agentMs } = this.#domain.needs.patience;
      const info = await this.#channel.call('guest-info', undefined, agentMs);
      const optional = (command: string) =>
        this.#channel.call(command, undefined, agentMs).catch((error: unknown) => {
          if (!(error instanceof AgentError)) throw error;
          return undefined; // one that does not know, or may not say
        });
      const answers = {
        info,
        osInfo: await optional('guest-get-osinfo'),
        hostName: await optional('guest-get-host-name'),
        interfaces: await optional('guest-network-get-interfaces'),
        filesystems: await optional('guest-get-fsinfo'),
        memory: await this.#memory(),
      };
      this.#silences = 0;
      if (this.#open && !this.#closed) this.#say(reportOf(answers));
    } catch (error) {
      if (++this.#silences >= mostSilences) this.#say(undefined);
      throw error;
    }
  }
  /** The balloon's driver says this; in whole MiB, so that not every look has news. */
  async #memory(): Promise<{ total: number; free: number } | null> {
    const balloon = { path: '/machine/peripheral/balloon' };
    const property = 'guest-stats-polling-interval';
    if (this.#looks === 0) await this.#domain.execute('qom-set', { ...balloon, property, value: 5 });
    const answer = (await this.#domain.execute('qom-get', { ...balloon, property: 'guest-stats' })) as {
      readonly stats?: Readonly<Record<string, unknown>>;
    };
    const whole = (value: unknown) =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value - (value % (1 << 20)) : null;
    const {
      'stat-total-memory': all,
      'stat-available-memory': available,
      'stat-free-memory': unused,
    } = answer.stats ?? {};
    const [total, free] = [whole(all), whole(available) ?? whole(unused)];
    return total === null || free === null ? null : { total, free };
  }
}
