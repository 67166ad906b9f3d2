/** Simulated guests that sleep, and a hypervisor with messages, in memory. */
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { DomainEnd, RareGuestVerbs, RareHostVerbs } from '../../backend.ts';
import { hasAgent } from './observed.ts';
import type { SimDomain } from './world.ts';

const mostMessages = 1000;

export interface RareParts {
  /** Does what a verb does, unless a fault says otherwise. */
  verb<T>(name: string, vm: string, act: () => T | Promise<T>): Promise<T>;
  live(vm: string): SimDomain;
  domains(): Iterable<SimDomain>;
  endGuest(vm: string, end: DomainEnd): void;
}
export const rareCapabilities = [
  ...(['sleep', 'wake', 'setShadow', 'endGuest', 'freeze', 'thaw', 'messages', 'sendDebugKeys'] as const),
];
type Guest = Pick<RareGuestVerbs, 'sleep' | 'wake' | 'setShadow' | 'endGuest' | 'freeze' | 'thaw'>;

export function rareVerbs(p: RareParts): { guest: Guest; hypervisor: RareHostVerbs; note(line: string): void } {
  let messages: string[] = [];
  const note = (line: string) => {
    messages.push(line);
    if (messages.length > mostMessages) messages = messages.slice(-mostMessages);
  };
  return {
    note,
    guest: {
      sleep: (vm) =>
        p.verb('guest.sleep', vm, () => {
          const d = p.live(vm);
          const reason = 'it ignores requests';
          if (d.spec.platform['sim:shutdown'] === 'ignore')
            throw xenopsErrors.make('Failed_to_suspend', { vm, reason });
          d.asleep = true;
        }),
      wake: (vm) =>
        p.verb('guest.wake', vm, () => {
          p.live(vm).asleep = false;
        }),
      setShadow: (vm, multiplier) =>
        p.verb('guest.setShadow', vm, () => {
          p.live(vm).shadow = multiplier;
        }),
      freeze: (vm) =>
        p.verb('guest.freeze', vm, () => {
          const d = p.live(vm);
          const reason = 'no agent in the guest answers';
          if (!hasAgent(d) || d.power !== 'running') throw xenopsErrors.make('Failed_to_freeze', { vm, reason });
          d.frozen = true;
        }),
      thaw: (vm) =>
        p.verb('guest.thaw', vm, () => {
          p.live(vm).frozen = false;
        }),
      endGuest: (vm, how) =>
        p.verb('guest.endGuest', vm, () => p.endGuest(vm, { reason: how, detail: 'as triggered' })),
    },
    hypervisor: {
      async messages(clear) {
        const text = messages.map((line) => `${line}\n`).join('');
        if (clear) messages = [];
        return text;
      },
      async sendDebugKeys(keys) {
        for (const key of keys) {
          note(`'${key}' pressed`);
          if (key !== 'q') continue;
          for (const d of p.domains()) note(`domain ${d.domid}: ${d.power}, ${d.vcpus} CPUs, ${d.memoryTarget} bytes`);
        }
      },
    },
  };
}
