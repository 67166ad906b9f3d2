/** Whose packets pass a port, kept by the kernel: a table of its own in the `bridge` family, replaced without touching others'. */
import { networkErrors } from '../contracts/network.ts';
import { filterRules } from './filter-rules.ts';
import type { Marks } from './names.ts';
import type { PortRecord } from './records.ts';
import { findTool, runTool } from './tool.ts';

const tableOf = (marks: Marks, ifname: string): string => `${marks.table}_${ifname}`;

/** Makes the port's filter hold; without one the rules go. Done again it changes nothing. Not_possible. */
export async function filterPort(marks: Marks, port: PortRecord): Promise<void> {
  const { ifname, mac, filter, carriers = [] } = port;
  if (ifname === null) return;
  const table = tableOf(marks, ifname);
  if (!filter) return forgetFilter(marks, ifname);
  try {
    await runTool('nft', ['-f', '-'], filterRules(table, [ifname, ...carriers], mac, filter));
  } catch (cause) {
    const reason = `the kernel cannot filter the packets of ${ifname}: ${cause instanceof Error ? cause.message : cause}`;
    throw networkErrors.make('Not_possible', { kind: 'any', reason }, { cause });
  }
}
/** The port's interface goes; its rules would stay. */
export async function forgetFilter(marks: Marks, ifname: string): Promise<void> {
  const table = tableOf(marks, ifname);
  // Adding it first makes the removal fit a table that is there and one that is not.
  await runTool('nft', ['-f', '-'], `table bridge ${table}\ndelete table bridge ${table}\n`);
}
/** The tables of this installation's ports, by name. */
export async function filterTables(marks: Marks): Promise<readonly string[]> {
  const tables = findTool('nft') ? await runTool('nft', ['list', 'tables', 'bridge']) : '';
  return tables.split('\n').flatMap((line) => {
    const name = line.replace('table bridge ', '');
    return name.startsWith(`${marks.table}_`) ? [name] : [];
  });
}
