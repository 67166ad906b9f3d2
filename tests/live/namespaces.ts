/** Two network namespaces with a cable between them, as two hosts of one network. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';

const ip = (...args: string[]) => execFileSync('/usr/sbin/ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Why they cannot be made; undefined when they can. */
export function noNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  if (spawnSync('unshare', ['--net', 'true']).status !== 0) return 'network namespaces cannot be made';
  return undefined;
}

export interface Namespaces extends Disposable {
  readonly a: string;
  readonly b: string;
  /** Pulls the cable, or plugs it in: from when the kernel has done so. */
  cable(up: boolean): void;
  /** What the cable carries from `a`, in kbit/s. */
  narrow(kbit: number): void;
}
export const addressOf = { a: '192.0.2.1', b: '192.0.2.2' } as const;

/** `lan`: with a second cable, between bridges of that name, for guests; the one of `a` has the address `gateway`. */
export function twoNamespaces(lan?: { readonly bridge: string; readonly gateway: string }): Namespaces {
  const names = { a: `gh${process.pid}a`, b: `gh${process.pid}b` };
  const veth = (name: string) =>
    ip('link', 'add', name, 'netns', names.a, 'type', 'veth', 'peer', 'name', name, 'netns', names.b);
  for (const name of Object.values(names)) ip('netns', 'add', name);
  veth('cable');
  if (lan) veth('trunk');
  for (const side of ['a', 'b'] as const) {
    const here = (...args: string[]) => ip('-n', names[side], ...args);
    here('address', 'add', `${addressOf[side]}/24`, 'dev', 'cable');
    for (const link of ['lo', 'cable']) here('link', 'set', link, 'up');
    if (!lan) continue;
    here('link', 'add', lan.bridge, 'type', 'bridge');
    here('link', 'set', 'trunk', 'master', lan.bridge);
    for (const link of ['trunk', lan.bridge]) here('link', 'set', link, 'up');
    if (side === 'a') here('address', 'add', `${lan.gateway}/24`, 'dev', lan.bridge);
  }
  // There before it is needed: a program that is started then is late.
  const hand = spawn('/usr/sbin/ip', ['-n', names.a, '-batch', '-'], { stdio: ['pipe', 'inherit', 'inherit'] });
  return {
    ...names,
    cable: (up) => void hand.stdin.write(`link set cable ${up ? 'up' : 'down'}\n`),
    narrow(kbit) {
      const limit = ['rate', `${kbit}kbit`, 'burst', '16k', 'latency', '400ms'];
      execFileSync('/usr/sbin/tc', ['-n', names.a, 'qdisc', 'replace', 'dev', 'cable', 'root', 'tbf', ...limit]);
    },
    [Symbol.dispose]() {
      hand.stdin.end();
      for (const name of Object.values(names)) ip('netns', 'delete', name);
    },
  };
}
