/**
 * How fast a port may be, kept by the kernel: what the guest gets waits in a queue that is emptied at the rate; what it sends
 * faster than that is dropped, which makes it slow down.
 */
import { networkErrors } from '../contracts/network.ts';
import type { Marks } from './names.ts';
import { findTool, runTool } from './tool.ts';

const kib = 1024;
/** The rules of one port have a table of their own: it can be replaced without touching others'. */
const tableOf = (marks: Marks, ifname: string): string => `${marks.table}_${ifname}`;

/** `rateKib` in KiB/s for each direction, 0 for no limit. Done again it changes nothing. Not_possible. */
export async function limitRate(marks: Marks, ifname: string, rateKib: number): Promise<void> {
  const table = tableOf(marks, ifname);
  try {
    if (rateKib === 0) return await lift(table, ifname);
    // A packet that does not fit into the bucket never leaves: it must hold a segmented one.
    const burst = Math.max(64 * kib, Math.ceil((rateKib * kib) / 20));
    const queue = ['tbf', 'rate', `${rateKib * 8}Kibit`, 'burst', burst, 'latency', '100ms'];
    await runTool('tc', ['qdisc', 'replace', 'dev', ifname, 'root', ...queue.map(String)]);
    await runTool('nft', ['-f', '-'], rules(table, ifname, rateKib));
  } catch (cause) {
    const reason = `the kernel cannot limit the rate of ${ifname}: ${cause instanceof Error ? cause.message : cause}`;
    throw networkErrors.make('Not_possible', { kind: 'any', reason }, { cause });
  }
}
function rules(table: string, ifname: string, rateKib: number): string {
  const burst = Math.max(128, Math.ceil(rateKib / 4));
  const rule = `limit rate over ${rateKib} kbytes/second burst ${burst} kbytes counter drop`;
  const chain = ['chain sent {', `type filter hook ingress device "${ifname}" priority 0; policy accept;`, rule, '}'];
  return `${clean(table)}table netdev ${table} {\n${chain.join('\n')}\n}\n`;
}
/** Adding it first makes the removal fit a table that is there and one that is not. */
const clean = (table: string): string => `table netdev ${table}\ndelete table netdev ${table}\n`;

async function lift(table: string, ifname: string): Promise<void> {
  const queues = JSON.parse(await runTool('tc', ['-j', 'qdisc', 'show', 'dev', ifname])) as { kind: string }[];
  if (queues.some(({ kind }) => kind === 'tbf')) await runTool('tc', ['qdisc', 'del', 'dev', ifname, 'root']);
  await runTool('nft', ['-f', '-'], clean(table));
}
/** The port's interface goes, and its queue with it; the rules would stay. */
export async function forgetRate(marks: Marks, ifname: string): Promise<void> {
  await runTool('nft', ['-f', '-'], clean(tableOf(marks, ifname)));
}
/** The tables of this installation's ports, by name. */
export async function ratedTables(marks: Marks): Promise<readonly string[]> {
  const tables = findTool('nft') ? await runTool('nft', ['list', 'tables', 'netdev']) : '';
  return tables.split('\n').flatMap((line) => {
    const name = line.replace('table netdev ', '');
    return name.startsWith(`${marks.table}_`) ? [name] : [];
  });
}
