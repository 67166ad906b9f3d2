/** `guesthouse ps`: the supervisor's tree, with states, restarts and memory. */
import { isKind } from '../contracts/contract.ts';
import type { ProcessGroup, ProcessNode } from '../contracts/processes.ts';
import { memoryOf } from '../processes/index.ts';
import { isAnswered } from '../rpc/index.ts';
import { places } from './places.ts';
import { commandName, shellWord } from './to-type.ts';
import { connectSupervisor } from './toolstack.ts';
import type { Terminal } from './up.ts';

interface Tree {
  readonly supervisor: { readonly pid: number; readonly startedAt: number; readonly memory: number };
  readonly groups: readonly ProcessGroup[];
  readonly processes: readonly ProcessNode[];
}

/** The exit status is 0 when nothing was given up, 1 when something was, 3 when no supervisor runs. */
export async function ps(
  options: { readonly data: string; readonly json: boolean },
  { out, say }: Terminal,
  nowS: number = Math.floor(Date.now() / 1000),
): Promise<number> {
  const at = places(options.data);
  const tree = (await isAnswered(at.supervisorSocket)) ? await look(at.data) : undefined;
  if (!tree) {
    say(
      `guesthouse: no supervisor of ${at.data} runs; start it with: ${commandName('guesthouse')} up --data ${shellWord(at.data)}`,
    );
    return 3;
  }
  if (options.json) out(JSON.stringify(tree));
  else for (const line of treeLines(tree, nowS)) out(line);
  return tree.processes.some((p) => p.state === 'failed') ? 1 : 0;
}

async function look(data: string): Promise<Tree | undefined> {
  const processes = connectSupervisor(places(data), { connectTimeoutMs: 1000 });
  try {
    const { pid, startedAt } = await processes.supervisor.info({});
    const supervisor = { pid, startedAt, memory: memoryOf(pid) ?? 0 };
    return { supervisor, groups: await processes.group.list({}), processes: await processes.supervisor.tree({}) };
  } catch (error) {
    if (isKind(error, 'Not_reachable') || isKind(error, 'Connection_lost')) return undefined;
    throw error;
  } finally {
    processes.close();
  }
}

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
  readonly note: string;
}
const heads = ['STATE', 'PID', 'UP', 'RESTARTS', 'MEMORY'];

/** A line for each of the supervisor, its groups and their members, below the line with the columns' names. */
export function treeLines({ supervisor, groups, processes }: Tree, nowS: number): string[] {
  const since = (startedAt: number | null) => (startedAt === null ? '-' : duration(nowS - startedAt));
  const top = ['up', `${supervisor.pid}`, since(supervisor.startedAt), '-', mib(supervisor.memory)];
  const rows: Row[] = [{ name: 'forkexecd', cells: top, note: '' }];
  const below = (group: string | null, indent: string): void => {
    const inner = groups.filter((g) => (g.parent ?? null) === group);
    const members = processes.filter((p) => p.group === group);
    const all = [...inner.map((g) => () => groupRow(g)), ...members.map((p) => () => memberRow(p))];
    all.forEach((row, i) => {
      const last = i === all.length - 1;
      const { name, id, ...rest } = row();
      rows.push({ name: `${indent}${last ? '└─ ' : '├─ '}${name}`, ...rest });
      if (id !== undefined) below(id, `${indent}${last ? '   ' : '│  '}`);
    });
  };
  const groupRow = ({ id, strategy, restarts, withinMs }: ProcessGroup) => ({
    name: `[${id}]`,
    id,
    cells: ['', '', '', '', ''],
    note: `${strategy}, at most ${restarts} restarts in ${withinMs / 1000} s`,
  });
  const memberRow = (p: ProcessNode) => ({
    name: p.id,
    id: undefined,
    cells: [p.state, p.pid ? `${p.pid}` : '-', p.pid ? since(p.startedAt) : '-', `${p.restarts}`, mib(p.memory)],
    note: [p.adopted && p.pid ? 'adopted' : '', p.note].filter(Boolean).join('; '),
  });
  below(null, '');
  return table([{ name: 'NAME', cells: heads, note: '' }, ...rows]);
}

function table(rows: readonly Row[]): string[] {
  const wide = Math.max(...rows.map((row) => row.name.length));
  const widths = heads.map((_, i) => Math.max(...rows.map((row) => row.cells[i]?.length ?? 0)));
  return rows.flatMap(({ name, cells, note }) => {
    const [first = '', ...more] = note.split('\n');
    const line = [name.padEnd(wide), ...cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)), first]
      .join('  ')
      .trimEnd();
    return [line, ...more.map((words) => `${' '.repeat(wide + 2)}| ${words}`)];
  });
}
const mib = (bytes: number | null): string => (bytes === null ? '-' : `${(bytes / 2 ** 20).toFixed(1)} MiB`);
function duration(s: number): string {
  if (s < 120) return `${Math.max(0, s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172_800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86_400)} d`;
}
