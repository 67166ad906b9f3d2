/** Two xenopsds on real QEMU, each in a network namespace of its own, with a cable between them and one folder of disks. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureCertificate } from '../../src/api/tls.ts';
import { postTo, type Ran, runIn, type Watching } from '../scenario/xenopsd-host.ts';
import { processesWith } from './host.ts';
import { addressOf, twoNamespaces } from './namespaces.ts';

const xenopsd = join(import.meta.dirname, '../../bin/xenopsd');
const patienceMs = 120_000;
/** Short, so that a network that was cut is seen soon. */
const silenceS = 6;

export class Host {
  readonly name: 'a' | 'b';
  readonly data: string;
  readonly url: string;
  readonly log: string;
  readonly #namespace: string;
  readonly #options: readonly string[];
  #process: ReturnType<typeof spawn> | undefined;

  constructor(name: 'a' | 'b', folder: string, namespace: string, address: string) {
    this.name = name;
    this.data = join(folder, name);
    this.log = join(folder, `${name}.log`);
    this.url = `https://${address}:8002`;
    this.#namespace = namespace;
    this.#options = [
      ...['-hypervisor', 'qemu', '-database-path', this.data, '-sockets-path', this.data],
      ...['-migration-listen', `${address}:8002`, '-migration-trust', join(folder, 'trusted.pem')],
      ...['-migration-silence', String(silenceS)],
      ...['-log', `file:${this.log}`, '-loglevel', 'debug'],
    ];
  }
  async start(): Promise<void> {
    const args = ['netns', 'exec', this.#namespace, xenopsd, ...this.#options];
    const child = spawn('/usr/sbin/ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(() => Promise.reject(new Error(`xenopsd of ${this.name} did not start`))),
    ]);
  }
  kill(): void {
    this.#process?.kill('SIGKILL');
  }
  async killed(): Promise<void> {
    if (this.#process && this.#process.signalCode === null) await once(this.#process, 'exit');
  }
  cli(...argv: string[]): Promise<Ran> {
    return this.watched({}, ...argv);
  }
  watched(o: Watching, ...argv: string[]): Promise<Ran> {
    return runIn(argv, (text, signal) => postTo(join(this.data, 'xenopsd'), text, signal), o);
  }
  async ok(...argv: string[]): Promise<string> {
    const { status, out, err } = await this.cli(...argv);
    if (status !== 0) throw new Error(`xenops-cli ${argv.join(' ')} on ${this.name}: ${err}`);
    return out;
  }
  /** States of the VMs that are registered. */
  async powers(): Promise<string[]> {
    const all = JSON.parse(await this.ok('--json', 'list')) as { power_state: string }[];
    return all.map((vm) => vm.power_state);
  }
  /** Calls `then`, once, when the log tells of the step (or other words), from here on. */
  whenTold(words: string, then: () => void): { readonly told: Promise<void>; stop(): void } {
    const from = existsSync(this.log) ? readFileSync(this.log).length : 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (!readFileSync(this.log).subarray(from).includes(`"${words}"`)) return;
      watcher.close();
      then();
      resolve();
    };
    const watcher = watch(this.log, look);
    return { told: promise, stop: () => watcher.close() };
  }
  consoleLog(vm: string): string {
    return join(this.data, 'domains', vm, 'console.log');
  }
  async says(vm: string, fits: (text: string) => boolean): Promise<string> {
    const until = Date.now() + patienceMs;
    for (;;) {
      const path = this.consoleLog(vm);
      const text = existsSync(path) ? readFileSync(path, 'latin1') : '';
      if (fits(text)) return text;
      if (Date.now() > until)
        throw new Error(`${vm} on ${this.name} does not say it; its last words: ${text.slice(-200)}`);
      await sleep(50);
    }
  }
  type(vm: string, text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.data, 'domains', vm, 'console'), () => socket.end(text, () => resolve()));
      socket.on('error', reject).resume();
    });
  }
}
export interface TwoHosts extends AsyncDisposable {
  readonly a: Host;
  readonly b: Host;
  readonly folder: string;
  /** Pulls the cable, or plugs it in: from when the kernel has done so. */
  cable(up: boolean): void;
  /** What the cable carries from `a`, in kbit/s. */
  narrow(kbit: number): void;
  file(name: string, bytes: Buffer): string;
  qemus(): number;
  /** Waits until one guest runs, on one host, with one QEMU; answers where. */
  settled(when: string): Promise<Host>;
}

export async function twoHosts(): Promise<TwoHosts> {
  const folder = mkdtempSync(join(tmpdir(), 'gh2-'));
  chmodSync(folder, 0o755);
  const net = twoNamespaces();
  const a = new Host('a', folder, net.a, addressOf.a);
  const b = new Host('b', folder, net.b, addressOf.b);
  for (const host of [a, b]) {
    mkdirSync(host.data, { mode: 0o711 });
    const { cert } = await ensureCertificate(join(host.data, 'tls'), [host.name], Date.now());
    appendFileSync(join(folder, 'trusted.pem'), cert);
  }
  const qemus = () => [...processesWith(folder)].filter(([, line]) => line.includes('qemu-system')).length;
  const hosts: TwoHosts = {
    a,
    b,
    folder,
    cable: net.cable,
    narrow: net.narrow,
    file(name, bytes) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      chmodSync(path, 0o666); // guests run as users of their own
      return path;
    },
    qemus,
    async settled(when) {
      const until = Date.now() + patienceMs;
      for (;;) {
        const [onA = [], onB = []] = await Promise.all([a.powers(), b.powers()]);
        const running = [...onA, ...onB].filter((power) => power === 'Running');
        if (onA.length + onB.length === 1 && running.length === 1 && qemus() === 1) return onA.length === 1 ? a : b;
        if (Date.now() > until) throw new Error(`${when}: a ${onA.join()}; b ${onB.join()}; ${qemus()} QEMUs`);
        await sleep(100);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const host of [a, b]) {
        host.kill();
        await host.killed();
      }
      for (const [pid] of processesWith(folder)) process.kill(Number(pid), 'SIGKILL');
      net[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await Promise.all([a.start(), b.start()]);
  } catch (error) {
    await hosts[Symbol.asyncDispose]();
    throw error;
  }
  return hosts;
}
