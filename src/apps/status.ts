/** `guesthouse status`: what runs of a data folder. */
import { isKind } from '../contracts/contract.ts';
import type { HouseInfo } from '../contracts/house.ts';
import type { ProcessInfo } from '../contracts/processes.ts';
import { isAnswered } from '../rpc/index.ts';
import { places } from './places.ts';
import { commandName, shellWord } from './to-type.ts';
import { connectHouse, connectSupervisor } from './toolstack.ts';
import type { Terminal } from './up.ts';

interface Status {
  readonly data: string;
  readonly supervisor: { pid: number; version: string; startedAt: number } | null;
  readonly house: HouseInfo | null;
  readonly processes: readonly Pick<ProcessInfo, 'id' | 'pid' | 'running' | 'adopted'>[];
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
  const nothing: Status = { data: at.data, supervisor: null, house: null, processes: [] };
  if (!(await isAnswered(at.supervisorSocket))) return nothing;
  const processes = connectSupervisor(at, { connectTimeoutMs: 1000 });
  const house = connectHouse(at, { connectTimeoutMs: 0 });
  try {
    const all = await processes.process.list({});
    return {
      data: at.data,
      supervisor: await processes.supervisor.info({}),
      house: await house.house.info({}).catch(absent),
      processes: all.map(({ id, pid, running, adopted }) => ({ id, pid, running, adopted })),
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
  if (!supervisor)
    return [`${data}: not running; start it with: ${commandName('guesthouse')} up --data ${shellWord(data)}`];
  const ready = house?.ready;
  return [
    `data          ${data}`,
    `supervisor    pid ${supervisor.pid}, version ${supervisor.version}`,
    `house         ${house ? `pid ${house.pid}, version ${house.version}` : 'does not answer'}`,
    `address       ${ready ? [ready.url, ready.tlsUrl].filter(Boolean).join(' ') : 'not ready yet'}`,
    ...(ready ? [`hypervisor    ${ready.hypervisor} (${ready.accelerator})`] : []),
    ...(house ? [`guests        ${house.running} running`] : []),
    ...processes.map(
      (p) => `process       ${p.id}: ${p.running ? `pid ${p.pid}` : 'ended'}${p.adopted ? ', adopted' : ''}`,
    ),
  ];
}
