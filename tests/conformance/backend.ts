/**
 * What every backend must do, run on each of them. Effects are waited for, never assumed to be instant; what to run and
 * on what comes from the bench that the backend's own test makes.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import type { OpenDisk } from '../../src/contracts/storage.ts';
import type { VmSpec } from '../../src/contracts/xenops.ts';
import type {
  Backend,
  BackendEvent,
  Capability,
  DomainEnd,
  Observed,
  VbdAttachment,
  VifAttachment,
} from '../../src/xenops/backend.ts';

/** One fresh ground for one test. */
export interface BackendBench {
  /** Not opened yet. */
  readonly backend: Backend;
  /** The description of the nth VM: it boots on this ground, and its guest reacts to requests once it is `ready`. No devices. */
  spec(n: number): VmSpec;
  /** A writable disk for the nth VM. */
  disk(n: number, position: number): Promise<VbdAttachment>;
  /** A CD drive of the nth VM, with a disc in it. */
  cd(n: number, position: number): Promise<VbdAttachment>;
  /** A disc to put into a drive. */
  disc(): Promise<OpenDisk>;
  vif(n: number, position: number): Promise<VifAttachment>;
  /** An empty layer on the disk that a drive has, or on its last layer; null: one that cannot be opened. Of grounds with `snapshot`. */
  layer?(on: OpenDisk | null): Promise<OpenDisk>;
  /** An empty suspend image. */
  image(): Promise<OpenDisk>;
  /** Resolves when the guest has booted. */
  ready(vm: string): Promise<void>;
  /** Makes the guest end by itself, or kills it from outside the backend. Resolves at once. */
  end(vm: string, reason: 'poweroff' | 'reboot' | 'crash' | 'killed'): Promise<void>;
  /** The toolstack restarts: the first backend is closed, and another one made on the same ground, not opened yet. */
  again(): Promise<Backend>;
  /** Ends what still runs and removes what the bench made. */
  dispose(): Promise<void>;
}
export interface BackendSuite {
  make(): Promise<BackendBench>;
  readonly skip?: readonly { readonly test: string; readonly because: string }[];
  /** How long anything may take, in ms; 60 000. */
  readonly patienceMs?: number;
}
type Body = (b: BackendBench, w: Watch) => Promise<void>;
interface Case {
  readonly name: string;
  /** Not run on grounds that cannot do it. */
  readonly needs?: Capability;
  readonly body: Body;
}

/** Declares the tests of one backend. */
export function backendSuite(name: string, suite: BackendSuite): void {
  const unknown = (suite.skip ?? []).filter((s) => !cases.some((c) => c.name === s.test));
  assert.deepEqual(unknown, [], 'tests to skip that are not there');
  for (const c of cases) {
    const skip = suite.skip?.find((s) => s.test === c.name)?.because;
    test(`${name}: ${c.name}`, skip === undefined ? {} : { skip }, async (t) => {
      const bench = await suite.make();
      const w = new Watch(suite.patienceMs ?? 60_000);
      try {
        if (c.needs && !bench.backend.can.has(c.needs)) {
          t.skip(`${name} cannot do ${c.needs}`);
          return;
        }
        await bench.backend.open();
        w.on(bench.backend);
        await c.body(bench, w);
      } finally {
        await bench.dispose();
      }
    });
  }
}

/** Collects a backend's events, and waits for things to become true. */
class Watch {
  readonly events: BackendEvent[] = [];
  readonly #patienceMs: number;
  #backend: Backend | undefined;
  #wake = new Set<() => void>();

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }
  on(backend: Backend): void {
    this.#backend = backend;
    backend.watch((event) => {
      this.events.push(event);
      for (const wake of this.#wake) wake();
    });
  }
  /** The domain once it is as `fits` says; undefined stands for no domain. */
  async until(vm: string, what: string, fits: (seen: Observed | undefined) => boolean): Promise<Observed | undefined> {
    const end = Date.now() + this.#patienceMs;
    for (;;) {
      const seen = await this.#backend?.vm.observe(vm);
      if (fits(seen)) return seen;
      if (Date.now() > end) assert.fail(`not ${what} after ${this.#patienceMs} ms: ${JSON.stringify(seen)}`);
      await this.#change();
    }
  }
  async ended(vm: string): Promise<DomainEnd> {
    const end = Date.now() + this.#patienceMs;
    for (;;) {
      const event = this.events.find((e) => e.event === 'ended' && e.vm === vm);
      if (event?.event === 'ended') return event.end;
      if (Date.now() > end) assert.fail(`no end of ${vm} after ${this.#patienceMs} ms`);
      await this.#change();
    }
  }
  /** Resolves at the next event, or soon. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wake.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, 100);
      this.#wake.add(wake);
    });
  }
}

const quiet = {};
async function boot(b: BackendBench, n = 1): Promise<VmSpec> {
  const spec = b.spec(n);
  await b.backend.vm.create(spec, n);
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  return spec;
}
const running = (seen: Observed | undefined) => seen?.power === 'running';
const paused = (seen: Observed | undefined) => seen?.power === 'paused';
const gone = (seen: Observed | undefined) => seen === undefined;

const cases: readonly Case[] = [
  {
    name: 'the kernel may come after the domain was made',
    async body(b, w) {
      const spec = b.spec(1);
      if (spec.boot.kind !== 'kernel') return;
      await b.backend.vm.create({ ...spec, boot: { kind: 'kernel', kernel: '/dev/null', cmdline: '' } }, 1);
      await b.backend.vm.build(spec);
      await b.backend.vm.unpause(spec.id);
      await b.ready(spec.id);
      await w.until(spec.id, 'running', (seen) => seen?.power === 'running');
    },
  },
  {
    name: 'a fresh ground has no domains and says what it is',
    async body({ backend }) {
      assert.deepEqual(await backend.observeAll(), []);
      const host = await backend.host();
      assert.ok(host.cpus >= 1 && host.memoryTotal > 0 && host.memoryFree <= host.memoryTotal);
      assert.notEqual(host.accelerator, '');
    },
  },
  {
    name: 'a domain is created, built, unpaused, paused and destroyed',
    async body(b, w) {
      const { backend } = b;
      const spec = b.spec(1);
      const vm = spec.id;
      await backend.vm.create(spec, 7);
      const made = await w.until(vm, 'made', (seen) => seen !== undefined);
      assert.equal(made?.domid, 7);
      assert.equal(made?.power, 'paused');
      await backend.vm.build(spec);
      await w.until(vm, 'paused', paused);
      await backend.vm.unpause(vm);
      const seen = await w.until(vm, 'running', running);
      assert.equal(seen?.vcpus, spec.vcpus.current);
      assert.ok((seen?.startedAt ?? 0) > 0);
      assert.notEqual(seen?.accelerator, '');
      await backend.vm.pause(vm);
      await w.until(vm, 'paused', paused);
      await backend.vm.destroy(vm);
      await w.until(vm, 'gone', gone);
      assert.deepEqual(await backend.observeAll(), []);
    },
  },
  {
    name: 'every verb may be repeated',
    async body(b, w) {
      const { backend } = b;
      const spec = b.spec(1);
      const disk = await b.disk(1, 0);
      const vif = await b.vif(1, 0);
      for (let i = 0; i < 2; i++) await backend.vm.create(spec, 1);
      for (let i = 0; i < 2; i++) await backend.vbd.attach(spec.id, disk);
      for (let i = 0; i < 2; i++) await backend.vif.attach(spec.id, vif);
      for (let i = 0; i < 2; i++) await backend.vm.build(spec);
      for (let i = 0; i < 2; i++) await backend.vm.unpause(spec.id);
      const seen = await w.until(spec.id, 'running', running);
      assert.deepEqual(seen?.vbds, [disk.spec.id]);
      assert.deepEqual(seen?.vifs, [vif.spec.id]);
      assert.equal((await backend.observeAll()).length, 1);
      for (let i = 0; i < 2; i++) await backend.vm.pause(spec.id);
      await w.until(spec.id, 'paused', paused);
      for (let i = 0; i < 2; i++) await backend.vm.destroy(spec.id);
      await w.until(spec.id, 'gone', gone);
    },
  },
  {
    name: 'taking away what is not there is no error',
    async body(b) {
      const { backend } = b;
      const { id } = b.spec(1);
      await backend.vm.destroy(id);
      await backend.vbd.detach(id, 'none', true);
      await backend.vif.detach(id, 'none', true);
      assert.equal(await backend.vm.observe(id), undefined);
    },
  },
  {
    name: 'a half-made domain is seen and can be destroyed, devices first or not',
    async body(b, w) {
      for (const devicesFirst of [true, false]) {
        const spec = b.spec(1);
        const disk = await b.disk(1, 0);
        await b.backend.vm.create(spec, 1);
        await b.backend.vbd.attach(spec.id, disk);
        assert.equal((await b.backend.observeAll()).length, 1);
        if (devicesFirst) await b.backend.vbd.detach(spec.id, disk.spec.id, true);
        await b.backend.vm.destroy(spec.id);
        await w.until(spec.id, 'gone', gone);
      }
    },
  },
  {
    name: 'two domains live side by side',
    async body(b, w) {
      const one = await boot(b, 1);
      const two = await boot(b, 2);
      await w.until(one.id, 'running', running);
      await w.until(two.id, 'running', running);
      await b.backend.vm.destroy(one.id);
      await w.until(one.id, 'gone', gone);
      await w.until(two.id, 'running', running);
    },
  },
  {
    name: 'check refuses kinds of domains that the ground cannot do',
    async body(b) {
      const { backend } = b;
      backend.vm.check(b.spec(1));
      for (const domainType of ['hvm', 'pv', 'pvh'] as const) {
        if (backend.can.has(domainType)) continue;
        const refused = (e: unknown) => isKind(e, 'Unimplemented') || isKind(e, 'Bad_spec');
        assert.throws(() => backend.vm.check({ ...b.spec(1), domainType }), refused);
      }
    },
  },
  {
    name: 'a guest that is asked to power off ends, once',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      await b.backend.vm.requestShutdown(id, 'poweroff');
      assert.equal((await w.ended(id)).reason, 'poweroff');
      const seen = await w.until(id, 'ended', (s) => s?.power === 'ended');
      assert.equal(seen?.end?.reason, 'poweroff');
      await b.backend.vm.destroy(id);
      await w.until(id, 'gone', gone);
      assert.equal(w.events.filter((e) => e.event === 'ended').length, 1);
    },
  },
  {
    name: 'a guest that is asked to reboot ends',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      await b.backend.vm.requestShutdown(id, 'reboot');
      assert.equal((await w.ended(id)).reason, 'reboot');
    },
  },
  ...(['poweroff', 'reboot', 'crash', 'killed'] as const).map(
    (reason): Case => ({
      name: `a guest that ends by itself is told of: ${reason}`,
      async body(b, w) {
        const { id } = await boot(b);
        await b.ready(id);
        await b.end(id, reason);
        assert.equal((await w.ended(id)).reason, reason);
        await w.until(id, 'ended', (s) => s?.power === 'ended' && s.end?.reason === reason);
        await b.backend.vm.destroy(id);
        await w.until(id, 'gone', gone);
      },
    }),
  ),
  {
    name: 'destroying a running domain is not the end of a guest',
    async body(b, w) {
      const { id } = await boot(b);
      await w.until(id, 'running', running);
      await b.backend.vm.destroy(id);
      await w.until(id, 'gone', gone);
      const again = await boot(b, 2);
      await w.until(again.id, 'running', running);
      assert.deepEqual(
        w.events.filter((e) => e.event === 'ended'),
        [],
      );
    },
  },
  {
    name: 'a drive is plugged into a running guest and taken out',
    needs: 'vbd-hotplug',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      const disk = await b.disk(1, 1);
      for (let i = 0; i < 2; i++) await b.backend.vbd.attach(id, disk);
      await w.until(id, 'plugged', (s) => s?.vbds.includes(disk.spec.id) === true);
      for (let i = 0; i < 2; i++) await b.backend.vbd.detach(id, disk.spec.id, false);
      await w.until(id, 'unplugged', (s) => s?.vbds.length === 0);
      await w.until(id, 'running', running);
    },
  },
  {
    name: 'an interface is plugged into a running guest and taken out',
    needs: 'vif-hotplug',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      const vif = await b.vif(1, 1);
      for (let i = 0; i < 2; i++) await b.backend.vif.attach(id, vif);
      await w.until(id, 'plugged', (s) => s?.vifs.includes(vif.spec.id) === true);
      for (let i = 0; i < 2; i++) await b.backend.vif.detach(id, vif.spec.id, false);
      await w.until(id, 'unplugged', (s) => s?.vifs.length === 0);
    },
  },
  {
    name: 'a disc is taken out of a drive and another put in',
    needs: 'cd-change',
    async body(b, w) {
      const spec = b.spec(1);
      const cd = await b.cd(1, 3);
      await b.backend.vm.create(spec, 1);
      await b.backend.vbd.attach(spec.id, cd);
      await b.backend.vm.build(spec);
      await b.backend.vm.unpause(spec.id);
      await b.ready(spec.id);
      for (let i = 0; i < 2; i++) await b.backend.vbd.change(spec.id, cd.spec.id, null);
      await w.until(spec.id, 'empty', (s) => s?.discs?.[cd.spec.id] === false);
      const disc = await b.disc();
      for (let i = 0; i < 2; i++) await b.backend.vbd.change(spec.id, cd.spec.id, disc);
      await w.until(spec.id, 'full', (s) => s?.discs?.[cd.spec.id] !== false);
      assert.deepEqual((await b.backend.vm.observe(spec.id))?.vbds, [cd.spec.id]);
    },
  },
  {
    name: 'a guest is saved, destroyed and restored',
    needs: 'suspend',
    async body(b, w) {
      const spec = b.spec(1);
      const disk = await b.disk(1, 0);
      const make = async (domid: number) => {
        await b.backend.vm.create(spec, domid);
        await b.backend.vbd.attach(spec.id, disk);
      };
      await make(1);
      await b.backend.vm.build(spec);
      await b.backend.vm.unpause(spec.id);
      await b.ready(spec.id);
      const image = await b.image();
      const told: number[] = [];
      await b.backend.vm.save(spec.id, image, { progress: (fraction) => told.push(fraction) });
      assert.ok(told.every((fraction) => fraction >= 0 && fraction <= 1));
      await w.until(spec.id, 'paused', paused);
      await b.backend.vm.destroy(spec.id);
      await w.until(spec.id, 'gone', gone);
      await make(2);
      await b.backend.vm.restore(spec, { ...image, readOnly: true }, quiet);
      const seen = await w.until(spec.id, 'paused', paused);
      assert.equal(seen?.domid, 2);
      assert.deepEqual(seen?.vbds, [disk.spec.id]);
      await b.backend.vm.unpause(spec.id);
      await w.until(spec.id, 'running', running);
      await b.backend.vm.requestShutdown(spec.id, 'poweroff');
      assert.equal((await w.ended(spec.id)).reason, 'poweroff');
    },
  },
  {
    name: 'a guest that was saved can go on instead',
    needs: 'suspend',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      await b.backend.vm.save(id, await b.image(), quiet);
      await w.until(id, 'paused', paused);
      await b.backend.vm.unpause(id);
      await w.until(id, 'running', running);
    },
  },
  {
    name: 'a guest moves into another domain, and is found there after a restart',
    needs: 'live-migrate',
    async body(b, w) {
      const { spec, disk, copy } = await twoDomains(b);
      const { migration } = b.backend;
      assert.ok(migration);
      const told: number[] = [];
      const address = await listenTwice(b.backend, spec.id, copy.id);
      await Promise.all([
        migration.send(spec.id, address, true, { progress: (fraction) => told.push(fraction) }),
        migration.receive(copy, address, quiet),
      ]);
      assert.ok(told.every((fraction) => fraction >= 0 && fraction <= 1));
      for (const id of [spec.id, copy.id]) await w.until(id, 'paused', paused);
      for (let i = 0; i < 2; i++) await migration.rename(spec.id, otherName);
      for (let i = 0; i < 2; i++) await migration.rename(copy.id, spec.id);
      assert.deepEqual((await b.backend.observeAll()).map((o) => o.vm).sort(), [otherName, spec.id].sort());
      await b.backend.vm.destroy(otherName);
      const backend = await b.again();
      await backend.open();
      w.on(backend);
      const seen = await w.until(spec.id, 'paused', paused);
      assert.deepEqual([seen?.domid, seen?.vbds], [2, [disk.spec.id]]);
      assert.equal((await backend.observeAll()).length, 1);
      await backend.vm.unpause(spec.id);
      await w.until(spec.id, 'running', running);
      await backend.vm.requestShutdown(spec.id, 'poweroff');
      assert.equal((await w.ended(spec.id)).reason, 'poweroff');
    },
  },
  {
    name: 'a guest that was sent can go on instead, and be sent again',
    needs: 'live-migrate',
    async body(b, w) {
      const { spec, disk, copy } = await twoDomains(b);
      const { migration } = b.backend;
      assert.ok(migration);
      for (const domid of [3, 4]) {
        const address = await listenTwice(b.backend, spec.id, copy.id);
        await Promise.all([migration.send(spec.id, address, true, quiet), migration.receive(copy, address, quiet)]);
        await b.backend.vm.destroy(copy.id);
        await b.backend.vm.unpause(spec.id);
        await w.until(spec.id, 'running', running);
        await b.backend.vm.create(copy, domid);
        await b.backend.vbd.attach(copy.id, disk);
      }
      await b.backend.vm.requestShutdown(spec.id, 'poweroff');
      assert.equal((await w.ended(spec.id)).reason, 'poweroff');
    },
  },
  {
    name: 'a guest whose sending is cancelled, or whose receiver goes away, runs on',
    needs: 'live-migrate',
    async body(b, w) {
      const { spec, copy } = await twoDomains(b);
      const { migration } = b.backend;
      assert.ok(migration);
      const address = await listenTwice(b.backend, spec.id, copy.id);
      const cancelled = { signal: AbortSignal.abort(new Error('cancelled by the test')) };
      await assert.rejects(migration.send(spec.id, address, true, cancelled));
      await w.until(spec.id, 'running', running);
      await b.backend.vm.destroy(copy.id);
      await assert.rejects(migration.send(spec.id, address, true, quiet));
      await w.until(spec.id, 'running', running);
    },
  },
  {
    name: 'restoring from what is no image fails and the domain can be destroyed',
    needs: 'suspend',
    async body(b, w) {
      const spec = b.spec(1);
      await b.backend.vm.create(spec, 1);
      await assert.rejects(b.backend.vm.restore(spec, await b.image(), quiet));
      await b.backend.vm.destroy(spec.id);
      await w.until(spec.id, 'gone', gone);
    },
  },
  {
    name: 'a guest goes over to new layers of its disks, of all or of none, and is found on them after a restart',
    needs: 'snapshot',
    async body(b, w) {
      const spec = b.spec(1);
      const drives = [await b.disk(1, 0), await b.disk(1, 1)];
      await b.backend.vm.create(spec, 1);
      for (const drive of drives) await b.backend.vbd.attach(spec.id, drive);
      await b.backend.vm.build(spec);
      await b.backend.vm.unpause(spec.id);
      await b.ready(spec.id);
      const disks = drives.map((drive) => drive.disk ?? assert.fail());
      const pivot = (on: Backend, to: readonly string[], layers: readonly OpenDisk[]) => {
        const of = drives.map(({ spec: { id } }, i) => ({ id, to: to[i] ?? '', disk: layers[i] ?? assert.fail() }));
        return on.vbd.pivot?.(spec.id, of);
      };
      const layerOn = async (disk: OpenDisk | null) =>
        (await b.layer?.(disk)) ?? assert.fail('the bench makes no layers');
      const first = await Promise.all(disks.map(layerOn));
      const bad = [first[0] ?? assert.fail(), await layerOn(null)];
      await assert.rejects(async () => pivot(b.backend, names(1), bad));
      for (let i = 0; i < 2; i++) await pivot(b.backend, names(2), first);
      const backend = await b.again();
      await backend.open();
      w.on(backend);
      await w.until(spec.id, 'running', running);
      await pivot(backend, names(2), first);
      await pivot(backend, names(3), await Promise.all(first.map(layerOn)));
      const absent = drives.map(({ disk }) => ({ id: 'none', to: names(4)[0] ?? '', disk: disk ?? assert.fail() }));
      await assert.rejects(async () => backend.vbd.pivot?.(spec.id, absent));
      await backend.vbd.detach(spec.id, drives[1]?.spec.id ?? '', true);
      await backend.vm.requestShutdown(spec.id, 'poweroff');
      assert.equal((await w.ended(spec.id)).reason, 'poweroff');
    },
  },
  {
    name: 'virtual CPUs are plugged',
    needs: 'vcpu-hotplug',
    async body(b, w) {
      const { id, vcpus } = await boot(b);
      await b.ready(id);
      for (let i = 0; i < 2; i++) await b.backend.vm.setVcpus(id, vcpus.max);
      await w.until(id, `on ${vcpus.max} CPUs`, (s) => s?.vcpus === vcpus.max);
    },
  },
  {
    name: 'a memory target is set',
    needs: 'balloon',
    async body(b, w) {
      const { id, memory } = await boot(b);
      await b.ready(id);
      for (let i = 0; i < 2; i++) await b.backend.vm.setMemoryTarget(id, memory.dynamicMin);
      await w.until(id, 'at its target', (s) => s?.memoryTarget === memory.dynamicMin);
    },
  },
  {
    name: 'a serial console answers',
    needs: 'serial',
    async body(b, w) {
      const { id } = await boot(b);
      const seen = await w.until(id, 'with a console', (s) => (s?.consoles.length ?? 0) > 0);
      const console = seen?.consoles.find((c) => c.protocol === 'vt100');
      assert.ok(console, 'no vt100 console');
      await new Promise<void>((resolve, reject) => {
        const socket = connect(console.socket, () => {
          socket.end();
          resolve();
        });
        socket.once('error', reject);
      });
    },
  },
  {
    name: 'another toolstack finds guests and half-made domains, and hears of their end',
    async body(b, w) {
      const { id } = await boot(b, 1);
      await b.ready(id);
      const half = b.spec(2);
      await b.backend.vm.create(half, 2);
      const next = await b.again();
      await next.open();
      w.on(next);
      const seen = await w.until(id, 'running', running);
      assert.equal(seen?.domid, 1);
      const all = await next.observeAll();
      const domids = all.map((d) => [d.vm, d.domid]).sort();
      assert.deepEqual(domids, [
        [id, 1],
        [half.id, 2],
      ]);
      await next.vm.destroy(half.id);
      await w.until(half.id, 'gone', gone);
      await next.vm.requestShutdown(id, 'poweroff');
      assert.equal((await w.ended(id)).reason, 'poweroff');
      await next.vm.destroy(id);
      assert.deepEqual(await next.observeAll(), []);
    },
  },
  {
    name: 'a guest that ended while nobody looked is found ended',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      const next = await b.again();
      await b.end(id, 'killed');
      await next.open();
      w.on(next);
      await w.until(id, 'ended or gone', (s) => s === undefined || s.power === 'ended');
      await next.vm.destroy(id);
      await w.until(id, 'gone', gone);
    },
  },
  {
    name: 'the hypervisor tells its messages',
    needs: 'messages',
    async body(b) {
      await b.backend.vm.create(b.spec(1), 1);
      assert.notEqual(await b.backend.hypervisor?.messages?.(false), '');
    },
  },
  {
    name: 'what a debug key asks for is in the messages',
    needs: 'sendDebugKeys',
    async body({ backend }) {
      await backend.hypervisor?.sendDebugKeys?.('h');
      assert.match((await backend.hypervisor?.messages?.(false)) ?? '', /'h' pressed/);
    },
  },
  {
    name: 'a guest that is made to reboot ends so',
    needs: 'endGuest',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      await b.backend.guest?.endGuest?.(id, 'reboot');
      assert.equal((await w.ended(id)).reason, 'reboot');
    },
  },
  {
    name: 'waking a guest that is awake changes nothing; one whose machine has no ACPI is refused',
    needs: 'wake',
    async body(b, w) {
      const { id } = await boot(b);
      try {
        await b.backend.guest?.wake?.(id);
      } catch (error) {
        assert.ok(isKind(error, 'Unimplemented') && b.spec(1).domainType !== 'hvm', String(error));
      }
      await w.until(id, 'running', running);
    },
  },
  {
    name: 'the filesystems of a guest without an agent cannot be frozen; letting go of what is not frozen changes nothing',
    needs: 'freeze',
    async body(b, w) {
      const { id } = await boot(b);
      await b.ready(id);
      const frozen = async () => b.backend.guest?.freeze?.(id, {});
      await assert.rejects(frozen(), (error) => isKind(error, 'Failed_to_freeze'));
      await b.backend.guest?.thaw?.(id);
      await w.until(id, 'running', running);
    },
  },
];

/** Two layers' names of the nth snapshot. */
const names = (n: number) => ['a', 'b'].map((c) => `${c.repeat(8)}-0000-4000-8000-00000000000${n}`);
const otherName = 'c0000000-0000-4000-8000-0000000000ff';
/** A guest that runs, and a domain that could take it. */
async function twoDomains(b: BackendBench) {
  const spec = b.spec(1);
  const disk = await b.disk(1, 0);
  const copy: VmSpec = { ...spec, id: 'c0000000-0000-4000-8000-000000000001' };
  for (const [domid, one] of [spec, copy].entries()) {
    await b.backend.vm.create(one, domid + 1);
    await b.backend.vbd.attach(one.id, disk);
  }
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  await b.ready(spec.id);
  return { spec, disk, copy };
}
async function listenTwice({ migration }: Backend, vm: string, copy: string): Promise<string> {
  const about = (await migration?.describe(vm)) ?? '';
  const address = (await migration?.listen(copy, about)) ?? '';
  assert.equal(await migration?.listen(copy, about), address);
  return address;
}
