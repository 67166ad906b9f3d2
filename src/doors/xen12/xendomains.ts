/** `xendomains`: domains that start with the machine, from `/etc/xc/auto`, and the end of all of them with it. */

import { domControl } from './dom-control.ts';
import { domCreate } from './dom-create.ts';
import { domains } from './domains.ts';
import type { Tools } from './io.ts';

export interface Service extends Tools {
  /** Files of the folder, in the order of their names. */
  readonly auto: () => readonly string[];
  /** There while the domains are started. */
  readonly lock: { has(): boolean; set(): void; clear(): void };
}
const seconds = 120;

/** start | stop [--all] | status; answers the exit status. */
export async function xendomains(args: readonly string[], s: Service): Promise<number> {
  const [verb = '', flag] = args;
  if (verb === 'start') return start(s);
  if (verb === 'stop' && (flag === undefined || flag === '--all')) return stop(s, flag === '--all');
  if (verb === 'status') return domControl(['list'], s);
  s.err('Usage: xendomains {start|stop [--all]|status}\n');
  return 1;
}
async function start(s: Service): Promise<number> {
  if (s.lock.has()) return 0;
  let failed = 0;
  for (const file of s.auto()) failed += (await domCreate(['-q', '-f', file], s)) === 0 ? 0 : 1;
  if (failed === 0) s.lock.set();
  return failed === 0 ? 0 : 1;
}
/** Every VM that the core knows, whichever door added it. Domains that nobody added are left alone, and named. */
async function stop(s: Service, all: boolean): Promise<number> {
  await s.xenops.host.shutdownAll({ timeoutS: seconds });
  const foreign = (await domains(s.xenops)).filter((d) => d.vm === undefined && d.dom !== 0);
  if (foreign.length > 0) {
    const names = foreign.map((d) => `${d.dom} (${d.name})`).join(', ');
    s.err(`xendomains: not added here, and left running: ${names}\n`);
    if (all) s.err('xendomains: ending domains that nobody added is not possible: they belong to another toolstack\n');
  }
  s.lock.clear();
  return all && foreign.length > 0 ? 1 : 0;
}
