/** Takes away whatever an installation has left on the host's network, told by its marks: nobody's records are needed. */
import type { Log } from '../base/log.ts';
import { isOurs } from './bridge.ts';
import { filterTables } from './filter.ts';
import { ip, listLinks } from './link.ts';
import { marksOf } from './names.ts';
import { ratedTables } from './rate.ts';
import { rightsTrouble } from './rights.ts';
import { findTool, runTool } from './tool.ts';

/**
 * For when nothing of it runs any more. `dir` is the network folder of the installation. Answers what was removed, by name.
 * What cannot be removed stays, with a warning; without the right to make any there is nothing to do.
 */
export async function sweepNetwork(dir: string, log: Log): Promise<readonly string[]> {
  if (rightsTrouble()) return [];
  const marks = marksOf(dir);
  const removed: string[] = [];
  const attempt = async (name: string, work: () => Promise<unknown>) => {
    try {
      await work();
      removed.push(name);
    } catch (error) {
      log.warn(`${name} could not be removed`, { error: String(error) });
    }
  };
  const links = findTool('ip') ? (await listLinks()).filter((link) => isOurs(link, marks)) : [];
  for (const { name } of links) await attempt(name, () => ip(['link', 'del', 'dev', name]));
  const tables = findTool('nft') ? await runTool('nft', ['list', 'tables', 'inet']) : '';
  if (tables.split('\n').includes(`table inet ${marks.table}`))
    await attempt(marks.table, () => runTool('nft', ['delete', 'table', 'inet', marks.table]));
  for (const table of await ratedTables(marks))
    await attempt(table, () => runTool('nft', ['delete', 'table', 'netdev', table]));
  for (const table of await filterTables(marks))
    await attempt(table, () => runTool('nft', ['delete', 'table', 'bridge', table]));
  return removed;
}
