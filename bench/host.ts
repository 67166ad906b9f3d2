/** Starts `host-process.ts` and talks JSON-RPC to it over kept-alive connections. */
import { spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { password } from '../tests/scenario/house.ts';

export interface BenchHost {
  readonly url: string;
  readonly port: number;
  readonly data: string;
  readonly pid: number;
  /** A JSON-RPC call with the session put first. Throws the error's code and parameters. */
  call(method: string, ...params: unknown[]): Promise<unknown>;
  stop(): Promise<void>;
}

export async function benchHost(hypervisor: string, guest?: object, sockets = 16): Promise<BenchHost> {
  const args = [
    join(import.meta.dirname, 'host-process.ts'),
    '--hypervisor',
    hypervisor,
    ...(guest ? ['--guest', JSON.stringify(guest)] : []),
  ];
  const flags = (process.env['HOST_FLAGS'] ?? '').split(' ').filter((f) => f !== ''); // such as --cpu-prof
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...flags, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the host ended with ${code}`)));
  });
  const { url, port, data } = JSON.parse(line) as { url: string; port: number; data: string };
  const agent = new Agent({ keepAlive: true, maxSockets: sockets });
  const raw = (method: string, params: readonly unknown[]) =>
    post(agent, port, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
  const session = await raw('session.login_with_password', ['root', password, '1.0', 'bench']);
  return {
    url,
    port,
    data,
    pid: child.pid ?? 0,
    call: (method, ...params) => raw(method, [session, ...params]),
    async stop() {
      agent.destroy();
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await gone;
    },
  };
}

function post(agent: Agent, port: number, body: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const req = request(
      {
        agent,
        host: '127.0.0.1',
        port,
        path: '/jsonrpc',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      },
      (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        res.on('end', () => {
          const answer = JSON.parse(text) as { result?: unknown; error?: { message: string; data: unknown } };
          if (answer.error) reject(new Error(`${answer.error.message} ${JSON.stringify(answer.error.data)}`));
          else resolve(answer.result);
        });
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}

/** A VM that a bench may start, without disks or networks. */
export async function bareVm(host: BenchHost, name: string): Promise<string> {
  const [template] = (await host.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await host.call('VM.clone', template, name)) as string;
  await host.call('VM.provision', vm);
  return vm;
}

export const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** A table for people: columns as wide as they need to be. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((r) => r[i]?.length ?? 0))) ?? [];
  for (const row of rows)
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
