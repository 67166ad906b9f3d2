import assert from 'node:assert/strict';
import test from 'node:test';
import { ManualClock } from '../../../base/clock.ts';
import { silentLog } from '../../../base/log.ts';
import type { Store } from '../../../contracts/xenstore.ts';
import type { Domain } from './domain.ts';
import { GuestKeys, readReport } from './guest-keys.ts';

/** The part of a store that is read here; `writes` tells its watchers. */
function fakeStore(nodes: Record<string, string>) {
  const watches = new Set<{ path: string; changed: (path: string) => void }>();
  const reads = { count: 0 };
  const store = {
    find: async (path: string) => {
      reads.count++;
      return nodes[path];
    },
    directory: async (path: string) => {
      const below = Object.keys(nodes).filter((node) => node.startsWith(`${path}/`));
      return [...new Set(below.map((node) => node.slice(path.length + 1).split('/')[0] ?? ''))].sort();
    },
    watch: async (path: string, changed: (path: string) => void) => {
      const watch = { path, changed };
      watches.add(watch);
      changed(path);
      return async () => void watches.delete(watch);
    },
  };
  return {
    store: store as unknown as Store,
    reads,
    watches,
    write(path: string, value: string) {
      nodes[path] = value;
      for (const watch of watches) if (path.startsWith(watch.path)) watch.changed(path);
    },
  };
}
const base = '/local/domain/7';
const nics = [
  { position: 0, mac: '00:16:3E:00:00:01' },
  { position: 1, mac: '00:16:3e:00:00:02' },
];
const said = {
  [`${base}/attr/PVAddons/MajorVersion`]: '8',
  [`${base}/attr/PVAddons/MinorVersion`]: '2',
  [`${base}/attr/PVAddons/MicroVersion`]: '0',
  [`${base}/data/os_name`]: 'Debian GNU/Linux 12',
  [`${base}/data/os_uname`]: '6.1.0',
  [`${base}/data/meminfo_total`]: '1024',
  [`${base}/data/meminfo_free`]: '512',
  [`${base}/attr/vif/0/ipv4/0`]: '10.0.0.5',
  [`${base}/attr/vif/0/ipv6/0`]: 'fe80::1',
  [`${base}/attr/eth1/ip`]: '10.0.1.5',
  [`${base}/data/volumes/0/name`]: 'xvda1',
  [`${base}/data/volumes/0/mount_points/0`]: '/',
  [`${base}/data/volumes/0/filesystem`]: 'ext4',
  [`${base}/data/volumes/0/size`]: '1000',
  [`${base}/data/volumes/0/free`]: '400',
};

test('keys of agents, old and new, make a report', async () => {
  const report = await readReport(fakeStore({ ...said }).store, 7, nics);
  assert.deepEqual([report?.agent, report?.version], ['xen', '8.2.0']);
  assert.deepEqual(report?.os, { name: 'Debian GNU/Linux 12', uname: '6.1.0' });
  assert.deepEqual(report?.addresses, {
    '00:16:3e:00:00:01': ['10.0.0.5', 'fe80::1'],
    '00:16:3e:00:00:02': ['10.0.1.5'],
  });
  assert.deepEqual(report?.memory, { total: 1 << 20, free: 1 << 19 });
  assert.deepEqual(report?.disks, [{ mount: '/', device: 'xvda1', type: 'ext4', total: 1000, used: 600 }]);
  assert.equal(await readReport(fakeStore({}).store, 7, nics), undefined);
});

test('what makes no sense is left out, what is too much is cut', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`${base}/data/volumes/${i}/name`, 'x'.repeat(4000)]),
  );
  const flood = fakeStore({
    ...said,
    ...many,
    [`${base}/data/meminfo_total`]: '-1',
    [`${base}/attr/vif/0/ipv4/0`]: '<b>',
  });
  const report = await readReport(flood.store, 7, nics);
  assert.equal(report?.memory, null);
  assert.deepEqual(report?.addresses['00:16:3e:00:00:01'], ['fe80::1']);
  assert.equal(report?.disks.length, 32);
  assert.equal(report?.disks[0]?.device.length, 200);
  assert.ok(flood.reads.count < 400, `${flood.reads.count} reads`);
});

test('a guest that writes without end is read once a second; one that is gone is not watched', async () => {
  const nodes = fakeStore({ ...said });
  const clock = new ManualClock();
  const changes: string[] = [];
  const domain = {
    ...{ vm: 'vm', domid: 7, built: true, doomed: false, record: { nics: nics.map((spec) => ({ spec })) } },
    info: () => ({}),
    endOf: () => undefined,
    changed: () => changes.push('changed'),
  };
  const domains = new Map([['vm', domain as unknown as Domain]]);
  const keys = new GuestKeys({ store: nodes.store, clock, log: silentLog }, domains);
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  keys.look('vm');
  keys.look('vm');
  await settled();
  assert.equal(nodes.watches.size, 2);
  assert.equal(keys.reportOf('vm'), undefined);
  for (let second = 1; second <= 3; second++) {
    const before = nodes.reads.count;
    for (let i = 0; i < 1000; i++) nodes.write(`${base}/data/os_name`, `name ${second}`);
    assert.equal(nodes.reads.count, before);
    clock.advance(1000);
    await settled();
    await settled();
    assert.equal(keys.reportOf('vm')?.os['name'], `name ${second}`);
    assert.equal(changes.length, second);
  }
  domains.delete('vm');
  keys.look('vm');
  await settled();
  assert.equal(nodes.watches.size, 0);
  assert.equal(keys.reportOf('vm'), undefined);
  await keys.close();
});
