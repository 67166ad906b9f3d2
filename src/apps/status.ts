/** `guesthouse status`: what runs of a data folder. */
import { isKind } from '../contracts/contract.ts';
import type { HouseInfo } from '../contracts/house.ts';
import type { ProcessInfo } from '../contracts/processes.ts';
import { leftRunning } from '../processes/index.ts';
import { isAnswered } from '../rpc/index.ts';
import { places } from './places.ts';
import { commandName, shellWord } from './to-type.ts';
import { connectHouse, connectSupervisor } from './toolstack.ts';
import type { Terminal } from './up.ts';

interface Status {
  readonly data: string;
  readonly supervisor: { pid: number; version: string; startedAt: number } | null;
  readonly house: HouseInfo | null;
  readonly processes: readonly Pick<ProcessInfo, 'id' | 'pid' | 'running' | 'adopted' | 'tags'>[];
}

/** The exit status is 0 when the host is ready, 3 when it is not, as with systemctl. */
export async function status(
  options: { data: string; json: boolean },
  { out }: Pick<Terminal, 'out'>,
): Promise<number> {
  const found = await look(options.data);
  if (options.json) out(JSON.stringify(found));
  else for (const line of lines(found)) out(line);
  return found.house?.ready ? 0 : 3;
}

/** Looks at the processes; changes nothing. */
export async function look(data: string): Promise<Status> {
  const at = places(data);
  const left = leftRunning(at.processes).map(({ id, pid, tags }) => ({ id, pid, tags, running: true, adopted: false }));
  const nothing: Status = { data: at.data, supervisor: null, house: null, processes: left };
  if (!(await isAnswered(at.supervisorSocket))) return nothing;
  const processes = connectSupervisor(at, { connectTimeoutMs: 1000 });
  const house = connectHouse(at, { connectTimeoutMs: 0 });
  try {
    const all = await processes.process.list({});
    return {
      data: at.data,
      supervisor: await processes.supervisor.info({}),
      house: await house.house.info({}).catch(absent),
      processes: all.map(({ id, pid, running, adopted, tags }) => ({ id, pid, running, adopted, tags })),
    };
  } catch (error) {
    return absent(error) ?? nothing;
  } finally {
    house.close();
    processes.close();
  }
}

function absent(error: unknown): null {
  if (isKind(error, 'Not_reachable') || isKind(error, 'Connection_lost')) return null;
  throw error;
}

function lines({ data, supervisor, house, processes }: Status): string[] {
  if (!supervisor) return withoutToolstack(data, processes);
  const ready = house?.ready;
  return [
    `data          ${data}`,
    `supervisor    pid ${supervisor.pid}, version ${supervisor.version}`,
    `house         ${house ? `pid ${house.pid}, version ${house.version}` : 'does not answer'}`,
    `address       ${ready ? [ready.url, ready.tlsUrl].filter(Boolean).join(' ') : 'not ready yet'}`,
    ...(ready ? [`hypervisor    ${ready.hypervisor} (${ready.accelerator})`] : []),
    ...(house ? [`guests        ${house.running} running`] : []),
    ...processes.map(processLine),
  ];
}
const processLine = (p: Status['processes'][number]): string =>
  `process       ${p.id}: ${p.running ? `pid ${p.pid}` : 'ended'}${p.adopted ? ', adopted' : ''}`;

/** Guests outlive the toolstack: what is left of it, and what to do about that. */
function withoutToolstack(data: string, processes: Status['processes']): string[] {
  const guesthouse = commandName('guesthouse');
  const up = `${guesthouse} up --data ${shellWord(data)}`;
  if (processes.length === 0) return [`${data}: not running; start it with: ${up}`];
  const guests = processes.filter((p) => p.tags['kind'] === 'guest').length;
  return [
    `data          ${data}`,
    'supervisor    does not run',
    'house         does not run',
    `guests        ${guests} running without the toolstack`,
    ...processes.map(processLine),
    `take over:    ${up}`,
    `shut down:    ${guesthouse} down --data ${shellWord(data)}`,
  ];
}
