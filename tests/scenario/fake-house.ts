/** A house for tests of `guesthouse up` and `down`: one guest, which is a sleeping process. `--hypervisor xen` is refused. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { places } from '../../src/apps/places.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { isKind } from '../../src/contracts/contract.ts';
import { type HouseReady, houseContract, houseErrors } from '../../src/contracts/house.ts';
import { processesContract } from '../../src/contracts/processes.ts';
import { connectContract, serveContract } from '../../src/rpc/index.ts';

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(
      ['data', 'listen', 'listen-tls', 'hypervisor', 'store'].map((k) => [k, { type: 'string' as const }]),
    ),
    demo: { type: 'boolean', default: false },
  },
});
const option = (name: string) => String((values as Record<string, unknown>)[name]);
const at = places(option('data'));
const processes = connectContract(processesContract, at.supervisorSocket);
const ready: HouseReady = {
  url: `http://${option('listen')}`,
  tlsUrl: null,
  hypervisor: option('hypervisor'),
  accelerator: '',
  demo: values.demo ? { name: 'demo', uuid: 'x' } : null,
};
const refusal =
  option('hypervisor') === 'xen'
    ? houseErrors.make('Not_ready', { reason: 'this is no Xen host; use qemu' })
    : undefined;
const running = async () => (await processes.process.list({})).filter((p) => p.id === 'guest' && p.running).length;
const made = startGuest();

await serveContract(
  houseContract,
  {
    house: {
      info: async () => ({ pid: process.pid, version: '0', startedAt: 0, ready, running: await running() }),
      ready: async () => {
        if (refusal) throw refusal;
        await made;
        return ready;
      },
      shutdownGuests: async () => {
        const stopped = await running();
        // A guest that takes its time.
        while (existsSync(`${at.run}/slow`)) await systemClock.sleep(20);
        await processes.process.kill({ id: 'guest' });
        return { stopped };
      },
    },
    watch: (listener) => {
      listener({ event: 'progress', text: 'the fake house opens' });
      return () => undefined;
    },
  },
  { socketPath: at.houseSocket, log: silentLog },
);
process.on('SIGTERM', () => process.exit(0));
if (refusal) {
  console.error(`guesthouse: ${refusal.message}`);
  process.exit(1);
}

async function startGuest(): Promise<void> {
  if (refusal) return;
  try {
    await processes.process.start({
      id: 'guest',
      command: ['/bin/sleep', '1000'],
      log: at.output('guest'),
      tags: { kind: 'guest' },
    });
  } catch (error) {
    if (!isKind(error, 'Already_running')) throw error;
  }
}
