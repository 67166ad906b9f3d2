/**
 * The handshake of a migration under random cuts of the network, kills of either side, lost commits, cancels and repeats, on the
 * simulator: never do two guests run, and once the network is whole and both sides are up, exactly one does within seconds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../src/base/clock.ts';
import type { Wire } from '../../src/xenops/backends/simulator/index.ts';
import { Cable } from '../../src/xenops/testing/cable.ts';
import { type TestHouse, testHouse, testSpec, vmId } from '../../src/xenops/testing/house.ts';
import { tries } from './soak.ts';

const id = vmId(1);
type Name = 'a' | 'b';
type What = 'cut' | 'mend' | 'kill' | 'crash' | 'crash-after' | 'cancel';
/** Something that happens at the nth step or message of the run, or so many seconds after what happened before. */
interface Incident {
  readonly at: number;
  readonly what: What;
  readonly side: Name;
  /** Seconds until the next incident counts, if nothing else happens before. */
  readonly pauseS: number;
}
interface Program {
  readonly incidents: readonly Incident[];
  /** How many migrations are tried, one after the other. */
  readonly moves: number;
  readonly late: boolean;
  readonly times: 1 | 2;
}
const incident: fc.Arbitrary<Incident> = fc.record({
  at: fc.integer({ min: 1, max: 12 }),
  what: fc.constantFrom<What>('cut', 'cut', 'mend', 'kill', 'crash', 'crash-after', 'cancel'),
  side: fc.constantFrom<Name>('a', 'b'),
  pauseS: fc.integer({ min: 1, max: 900 }),
});
const program: fc.Arbitrary<Program> = fc.record({
  incidents: fc.array(incident, { maxLength: 6 }),
  moves: fc.integer({ min: 1, max: 3 }),
  late: fc.boolean(),
  times: fc.constantFrom<1 | 2>(1, 1, 2),
});
const silenceMs = 30_000;
/** How long after the network is whole and both sides are up all must be settled: the longest pause between two attempts, and work. */
const promptS = 100;

async function play(p: Program): Promise<void> {
  await using h = await Hosts.open(p);
  for (let n = 0; n < p.moves; n++) await h.move();
  await h.settled();
}

class Hosts {
  readonly #clock = new ManualClock(1_700_000_000_000);
  readonly #cable: Cable;
  readonly #wires: Record<Name, Map<string, Wire>> = { a: new Map(), b: new Map() };
  readonly #probe: { before: () => void; times: number };
  #houses: Record<Name, TestHouse> | undefined;
  #left: Incident[];
  /** Steps and messages since the last incident. */
  #since = 0;
  #restS = 0;
  #cancel = new AbortController();
  readonly #log: string[] = [];

  private constructor(p: Program) {
    this.#left = [...p.incidents];
    const message = (what: string) => this.#happened(`message ${what}`);
    this.#cable = new Cable({ clock: this.#clock, silenceMs, message, late: p.late });
    this.#probe = { before: () => this.#happened('step'), times: p.times };
  }
  static async open(p: Program): Promise<Hosts> {
    const hosts = new Hosts(p);
    const open = (name: Name) =>
      testHouse({
        ...{
          host: name === 'a' ? 1 : 2,
          boot: name,
          clock: hosts.#clock,
          wires: hosts.#wires[name],
          probe: hosts.#probe,
        },
        connect: async () => ({ incoming: hosts.#peer(name === 'a' ? 'b' : 'a', hosts.#wires[name]) }),
      });
    const left = hosts.#left.splice(0);
    hosts.#houses = { a: await open('a'), b: await open('b') };
    const { a } = hosts.#houses;
    await a.xenops.vm.add(testSpec(1));
    await a.during(a.xenops.vm.start({ id, paused: false }));
    hosts.#left = left;
    return hosts;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of ['a', 'b'] as const) this.#house(name).kill();
  }
  #house(name: Name): TestHouse {
    assert.ok(this.#houses);
    return this.#houses[name];
  }
  #peer(name: Name, wires: Map<string, Wire>) {
    const far = () => this.#house(name);
    const incoming = () => (far().dead ? undefined : far().xenops.incoming);
    return this.#cable.peer({ incoming, wires: this.#wires[name] }, wires);
  }
  #happened(what: string): void {
    this.#log.push(what);
    const next = this.#left[0];
    if (!next || ++this.#since < next.at) return;
    this.#strike();
  }
  #strike(): void {
    const next = this.#left.shift();
    if (!next) return;
    this.#since = 0;
    this.#restS = 0;
    this.#log.push(`*** ${next.what} ${next.side}`);
    const house = this.#house(next.side);
    if (next.what === 'cut') this.#cable.cut();
    else if (next.what === 'mend') this.#cable.mend();
    else if (next.what === 'cancel') this.#cancel.abort();
    else if (next.what === 'kill') house.kill();
    else house.dieAtCommit(1, next.what);
  }
  /** A second passes. */
  async #second(): Promise<void> {
    await this.#clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
    const next = this.#left[0];
    if (next && ++this.#restS >= next.pauseS) this.#strike();
    const running = (['a', 'b'] as const).flatMap((name) =>
      [...this.#house(name).world.domains.values()].filter((d) => d.power === 'running').map((d) => `${name}/${d.vm}`),
    );
    assert.ok(running.length <= 1, this.#told(`two run: ${running.join()}`));
  }
  #told(what: string): string {
    return `${what}\n${this.#log.slice(-60).join('\n')}`;
  }
  /** The VM is asked to move from where it is registered and runs; waits until that is answered, restarting who dies. */
  async move(): Promise<void> {
    let asked = false;
    let over = false;
    for (let n = 0; n < 60 && !asked; n++) {
      await this.#revive();
      const from = await this.#where();
      if (from) {
        asked = true;
        this.#cancel = new AbortController();
        this.#log.push(`move from ${from}`);
        const to = from === 'a' ? 'b' : 'a';
        void this.#house(from)
          .xenops.vm.migrate({ id, to, live: true }, { signal: this.#cancel.signal })
          .catch((e: unknown) => this.#log.push(`not moved: ${String(e)}`))
          .finally(() => {
            over = true;
          });
      }
      await this.#second();
    }
    if (!asked) return;
    for (let n = 0; n < 1500 && !over; n++) {
      await this.#second();
      // Its answer died with it.
      if (await this.#revive()) break;
    }
  }
  async #where(): Promise<Name | undefined> {
    for (const name of ['a', 'b'] as const) {
      const [vm] = await this.#house(name).xenops.vm.list({});
      if (vm?.state.power === 'Running') return name;
    }
    return undefined;
  }
  /** Starts who is dead, who may die at once again; answers whether somebody was. */
  async #revive(): Promise<boolean> {
    const dead = (['a', 'b'] as const).filter((name) => this.#house(name).dead);
    for (const name of dead) {
      this.#log.push(`${name} starts again`);
      await this.#house(name).restart();
    }
    return dead.length > 0;
  }
  async settled(): Promise<void> {
    this.#left = [];
    await this.#revive();
    this.#log.push('mended for good');
    this.#cable.mend();
    let wrong = '';
    for (let n = 0; n < promptS; n++) {
      await this.#second();
      // A commit that was to be lost came only now.
      if (await this.#revive()) n = 0;
      wrong = await this.#wrong();
      if (wrong === '') return;
    }
    assert.fail(this.#told(wrong));
  }
  /** What is not as it should be at rest: one guest, registered where it runs, and nothing else held or remembered anywhere. */
  async #wrong(): Promise<string> {
    const seen: string[] = [];
    for (const name of ['a', 'b'] as const) {
      const h = this.#house(name);
      assert.deepEqual(h.world.violations, [], this.#told('violations'));
      const [vm] = await h.xenops.vm.list({});
      const domains = [...h.world.domains.values()].map((d) => `${d.vm} ${d.power}`).join();
      const { memoryCommitted } = await h.xenops.host.stat({});
      const rows = ['xenops_incoming', 'xenops_farewell'].map((t) => h.disk.tables.get(t)?.size ?? 0).join();
      if (vm) {
        if (vm.state.power !== 'Running' || domains !== `${id} running` || memoryCommitted !== vm.spec.memory.staticMax)
          return `${name}: ${vm.state.power}; ${domains}; ${memoryCommitted} bytes`;
        seen.push(name);
      } else if (h.held().length > 0 || memoryCommitted !== 0)
        return `${name}: held ${h.held().join()}; ${memoryCommitted}`;
      if (rows !== '0,0') return `${name}: rows of attempts ${rows}`;
    }
    return seen.length === 1 ? '' : `runs on ${seen.join(' and ') || 'no host'}`;
  }
}

test('whatever is cut, killed, cancelled or repeated: never two guests, and soon exactly one', async () => {
  const { seed, numRuns } = tries({ seed: 11, numRuns: 300 });
  await fc.assert(fc.asyncProperty(program, play), { seed, numRuns });
});
