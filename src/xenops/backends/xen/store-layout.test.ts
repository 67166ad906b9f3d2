import assert from 'node:assert/strict';
import test from 'node:test';
import type { VmSpec } from '../../../contracts/xenops.ts';
import { testSpec } from '../../testing/house.ts';
import { cmdlineOf } from './cmdline.ts';
import { guestNodes, ringNodes, type StoreNode } from './store-layout.ts';

const spec = (changes: Partial<VmSpec> = {}): VmSpec => testSpec(1, { domainType: 'pv', ...changes });
const places = (s: VmSpec) => ({ domid: 5, spec: s, vcpus: 1, memoryTarget: 64 << 20 });

/** Who may write a node: its own rights, or those of the nearest node above that has some. */
function owner(nodes: readonly StoreNode[], path: string): number | undefined {
  for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    const found = nodes.find((n) => n.path === at && n.permissions);
    if (found) return found.permissions?.[0]?.domid;
  }
  return undefined;
}

test('what the toolstack relies on is not the guest’s to write', () => {
  const rings = ringNodes(5, { store: 1n, console: 2n, storePort: 3, consolePort: 4 });
  const nodes = [...guestNodes(places(spec({ vcpus: { max: 2, current: 1 } }))), ...rings];
  const base = '/local/domain/5';
  const guests = nodes.filter((n) => owner(nodes, n.path) === 5).map((n) => n.path.slice(base.length + 1));
  assert.deepEqual(guests.sort(), [
    'attr',
    ...['control/feature-poweroff', 'control/feature-reboot', 'control/feature-suspend'],
    ...['control/shutdown', 'control/sysrq', 'data', 'device/suspend/event-channel', 'drivers', 'error', 'feature'],
  ]);
  for (const path of [
    'name',
    'vm',
    'domid',
    'memory/target',
    'console/ring-ref',
    'console/type',
    'store/port',
    'device',
  ])
    assert.equal(owner(nodes, `${base}/${path}`), 0, path);
});

test('nobody but dom0 sees which domains are ours', () => {
  const mark = guestNodes(places(spec())).find((n) => n.path.startsWith('/tool/'));
  assert.deepEqual(mark?.permissions, [{ domid: 0, access: 'n' }]);
});

test('a name does no harm where it becomes a file’s', () => {
  const named = spec({ name: '../../etc/passwd\n\u0000x' });
  const name = guestNodes(places(named)).find((n) => n.path === '/local/domain/5/name')?.value;
  assert.equal(name, '.._.._etc_passwd  x');
});

test('free values stay below vm-data', () => {
  const data = { 'vm-data/a': '1', 'console/type': 'ioemu', 'vm-datax': '2' };
  const paths = guestNodes(places(spec({ xenstoreData: data }))).map((n) => n.path);
  assert.ok(paths.includes('/local/domain/5/vm-data/a'));
  assert.ok(!paths.includes('/local/domain/5/console/type') && !paths.includes('/local/domain/5/vm-datax'));
});

test('parents that have rights come before what is in them', () => {
  const paths = guestNodes(places(spec())).map((n) => n.path);
  assert.ok(paths.indexOf('/local/domain/5') < paths.indexOf('/local/domain/5/name'));
});

test('a console that only emulated machines have becomes the one of Xen', () => {
  const line = (cmdline: string) => cmdlineOf(spec({ boot: { kind: 'kernel', kernel: '/k', cmdline } }));
  assert.equal(line('quiet console=ttyS0 root=/dev/x'), 'quiet console=hvc0 root=/dev/x');
  assert.equal(line('console=tty0 console=ttyS0,115200 console=ttyS1'), 'console=tty0 console=hvc0');
  assert.equal(line('console=hvc0 console=ttyS0'), 'console=hvc0 console=ttyS0');
  assert.equal(line('quiet'), 'quiet');
});
