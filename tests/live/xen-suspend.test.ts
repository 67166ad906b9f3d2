/** Suspending that is cancelled, on real Xen. Runs in dom0. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import { withoutXen } from './xen-bench.ts';
import { boot, ground, run } from './xen-ground.ts';

const skip = withoutXen() ?? false;

for (const type of ['pv', 'pvh'] as const)
  test(`xen ${type}: a save that is cancelled ends at once, the guest goes on, and its end is told`, {
    skip,
  }, async (t) => {
    // Nothing but the store tells of ends here.
    const b = await ground(t, type, { patience: { lookMs: 3_600_000 } });
    const ended = new Promise<void>((resolve) => b.backend.watch((e) => e.event === 'ended' && resolve()));
    const vm = await boot(b);
    await run(b, vm, 'kept=something', 'NOTED');
    const stop = new AbortController();
    const image = await b.image();
    const saved = b.backend.vm.save(vm, image, { signal: stop.signal, progress: () => stop.abort() });
    await assert.rejects(saved, (e) => isKind(e, 'Cancelled'));
    assert.equal((await b.backend.vm.observe(vm))?.power, 'running');
    await run(b, vm, '[ "$kept" = something ]', 'REMEMBERED');
    const late = b.backend.vm.save(vm, image, { signal: AbortSignal.abort() });
    await assert.rejects(late, (e) => isKind(e, 'Cancelled'));
    await run(b, vm, 'true', 'STILL-HERE');
    await b.end(vm, 'poweroff');
    await ended;
    assert.equal((await b.backend.vm.observe(vm))?.end?.reason, 'poweroff');
  });
