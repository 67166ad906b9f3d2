/** A NATS server of its own, with JetStream, for tests and benchmarks. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

/** Why there is none; undefined: there is. */
export function cannotNats(): string | undefined {
  return spawnSync('nats-server', ['--version']).status === 0
    ? undefined
    : 'nats-server is not installed (Debian: nats-server)';
}
export interface NatsServer {
  readonly host: string;
  /** SIGKILL; answers when it is gone. */
  kill(): Promise<void>;
  /** After a kill: the same port, the same files. */
  start(): Promise<void>;
}
/** What it keeps is in `folder`; `settings` are lines of its configuration file. */
export async function natsServer(folder: string, settings = ''): Promise<NatsServer> {
  const port = await freePort();
  const config = join(folder, 'nats.conf');
  writeFileSync(
    config,
    `listen: "127.0.0.1:${port}"\nmax_payload: 17825792\njetstream { store_dir: ${JSON.stringify(folder)} }\n${settings}\n`,
  );
  let child: ChildProcess | undefined;
  const server = {
    host: `127.0.0.1:${port}`,
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
    async start() {
      const started = spawn('nats-server', ['-c', config, '-l', join(folder, 'nats.log')], { stdio: 'ignore' });
      child = started;
      const ended = once(started, 'exit').then(([code]) => Promise.reject(new Error(`nats-server ended with ${code}`)));
      ended.catch(() => undefined); // its end after the start is the test's own
      while (!(await Promise.race([answers(port), ended]))) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  };
  await server.start();
  return server;
}
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    // It greets when JetStream is there.
    socket.once('data', () => resolve(true)).once('error', () => resolve(false));
  }).then((there) => there as boolean);
}
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
