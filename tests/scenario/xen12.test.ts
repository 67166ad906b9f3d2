/** The Xen 1.2 tools over the one core: a domain made by them is a VM for everybody, and the other way round. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { domControl } from '../../src/doors/xen12/dom-control.ts';
import { domCreate } from '../../src/doors/xen12/dom-create.ts';
import { xendomains } from '../../src/doors/xen12/xendomains.ts';
import { jsonDriver } from './drivers.ts';
import { type TestHouse, testHouse } from './house.ts';

const settings = (folder: string) => `def config_usage():
    print >>sys.stderr, "needs -D vmid=1..9"
try:
    vmid = int(vmid)
except:
    assert()
image = "${folder}/vmlinuz"
builder_fn = 'linux'
mem_size = 48
domain_name = "guest-%d" % vmid
vfr_ipaddr = [XenoUtil.add_offset_to_ip('169.254.1.0', vmid)]
vbd_list = [('phy:sda%d' % (7 + vmid), 'sda1', 'w'), ('phy:sda6', 'sda6', 'r')]
cmdline_ip = "ip=%s:169.254.1.0:169.254.1.0:255.255.0.0::eth0:off" % vfr_ipaddr[0]
cmdline_root = "root=/dev/sda1 ro"
cmdline_extra = "3"
`;
async function toolsOf(t: TestContext, h: TestHouse) {
  const [network] = await h.house.network.network.list({});
  const folder = mkdtempSync(join(tmpdir(), 'gh-xen12-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = new Map([
    ['/etc/xc/defaults', settings(folder)],
    ['/etc/xc/auto/10-first', `vmid = 5\n${settings(folder)}`],
  ]);
  writeFileSync(join(folder, 'vmlinuz'), 'kernel');
  const said = { out: '', err: '' };
  let locked = false;
  const tools = {
    xenops: h.house.xenops,
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
    read: (path: string) => files.get(path),
    exists: (path: string) => path === join(folder, 'vmlinuz'),
    uuid: () => crypto.randomUUID(),
    bridge: network?.bridge ?? '',
    virtualDisk: async (id: string) => {
      throw new Error(`there is no virtual disk ${id}`);
    },
    sizeOf: async () => 3 << 20,
    auto: () => ['/etc/xc/auto/10-first'],
    lock: {
      has: () => locked,
      set: () => void (locked = true),
      clear: () => void (locked = false),
    },
  };
  const run = async (f: typeof domCreate, ...args: string[]): Promise<[number, string, string]> => {
    said.out = said.err = '';
    const status = await f(args, tools);
    return [status, said.out, said.err];
  };
  return {
    create: (...args: string[]) => run(domCreate, ...args),
    control: (...args: string[]) => run(domControl, ...args),
    service: (...args: string[]) => run((a) => xendomains(a, tools), ...args),
  };
}

test('the work flow of the HOWTO', async (t) => {
  await using h = await testHouse();
  const { create, control } = await toolsOf(t, h);
  const { db, xenops } = h.house;
  const [status, out, err] = await create('-D', 'vmid=1');
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /^Parsing config file '\/etc\/xc\/defaults'\nVM image +: ".*\/vmlinuz"\n/);
  assert.match(out, /VM IP address\(es\) +: "169\.254\.1\.1"\n/);
  assert.match(out, /VM block device\(s\) +: "phy:sda8,sda1,w; phy:sda6,sda6,r"\n/);
  assert.match(out, /VM cmdline +: "ip=169.254.1.1:.* root=\/dev\/sda1 ro 3"\n/);
  const dom = /VM started in domain (\d+)\n$/.exec(out)?.[1] ?? '';
  assert.notEqual(dom, '');

  const shown = async () => (await control('list'))[1].split('\n').find((l) => l.includes('guest-1'));
  assert.match((await shown()) ?? '', new RegExp(`^${dom} +guest-1 +49152 +0 +r- +0$`));
  const [vm] = [...db.refs('VM')].filter((r) => db.get('VM', r).name_label === 'guest-1');
  assert.equal(db.get('VM', vm!).power_state, 'Running');
  assert.equal((await control('stop', dom))[1], 'return code 0\n');
  assert.match((await shown()) ?? '', / -s /);
  assert.equal(db.get('VM', vm!).power_state, 'Paused');
  await control('start', dom);
  assert.match((await control('listvbds'))[1], new RegExp(`${dom} +0801 +w +3\\n`));
  assert.deepEqual((await control('shutdown', dom, '-w')).slice(0, 2), [0, 'return code 0\n']);
  assert.equal(await shown(), undefined);
  assert.equal(db.get('VM', vm!).power_state, 'Halted');

  // The same settings again: the same VM.
  const again = /domain (\d+)/.exec((await create('-q', '-D', 'vmid=1', '-m', '64'))[1] || (await control('list'))[1]);
  assert.ok(again || (await shown()));
  assert.equal([...db.refs('VM')].filter((r) => db.get('VM', r).name_label === 'guest-1').length, 1);
  assert.equal((await xenops.vm.stat({ id: db.get('VM', vm!).uuid })).state.power, 'Running');
  // What this door notes outlives a change through XenAPI.
  await h.house.root('VM.set_name_description', vm, 'changed');
  await h.house.root('VM.set_VCPUs_params', vm, { weight: '300' });
  const { notes } = (await xenops.vm.stat({ id: db.get('VM', vm!).uuid })).spec;
  assert.equal(notes?.['xen12'], 'xc_dom_create');

  // Drives of another VM have the same names there, and records of their own here.
  assert.equal((await create('-q', '-D', 'vmid=3'))[0], 0);
  const other = [...db.refs('VM')].find((r) => db.get('VM', r).name_label === 'guest-3');
  assert.equal(db.get('VM', other!).VBDs.length, 2);
});

test('a domain is saved and goes on, and one of XenAPI is stopped by xendomains', async (t) => {
  await using h = await testHouse();
  const { create, control, service } = await toolsOf(t, h);
  const d = await jsonDriver(h);
  const uuid = await d.install('Tiny Linux', 'from XenAPI');
  const { db } = h.house;
  await h.house.root('VM.start', db.byUuid('VM', uuid), false, false);
  const dom = /domain (\d+)/.exec((await create('-D', 'vmid=2'))[1])?.[1] ?? '';
  const file = join(tmpdir(), `gh-xen12-${process.pid}.state`);
  t.after(() => rmSync(file, { force: true }));
  assert.equal((await control('suspend', dom, 'relative'))[0], 1);
  assert.match((await control('pincpu', dom, 'x'))[2], /the processor must be a number, not "x"/);
  assert.equal((await control('pincpu', dom, '2'))[0], 0);
  const mask = async () =>
    (await h.house.xenops.vm.list({})).find((v) => v.spec.name === 'guest-2')?.spec.platform['mask'];
  assert.equal(await mask(), '2');
  assert.equal((await control('pincpu', dom, '-1'))[0], 0);
  assert.equal(await mask(), undefined);
  assert.deepEqual(await control('suspend', dom, file), [0, 'return code 0\n', '']);
  assert.match((await create('-D', 'vmid=2', '-L', file))[1], /VM started in domain \d+/);
  const names = async () => (await control('list'))[1];
  assert.match(await names(), /guest-2/);

  assert.equal((await service('start'))[0], 0);
  assert.match(await names(), /guest-5/);
  assert.equal((await service('start'))[0], 0); // locked: nothing more
  assert.equal((await service('stop'))[0], 0);
  assert.doesNotMatch(await names(), /guest|XenAPI/);
  assert.equal(db.get('VM', db.byUuid('VM', uuid)).power_state, 'Halted');
});

test('what is wrong is said, and nothing is left of it', async (t) => {
  await using h = await testHouse();
  const { create, control, service } = await toolsOf(t, h);
  const before = (await h.house.xenops.vm.list({})).length;
  const refused = async (args: string[], message: RegExp) => {
    const [status, , err] = await create(...args);
    assert.equal(status, 1);
    assert.match(err, message);
  };
  await refused([], /^\/etc\/xc\/defaults:6:5: AssertionError[\s\S]*needs -D vmid=1\.\.9\n$/);
  await refused(['-f', 'nothing'], /Failed to open config file 'nothing'/);
  await refused(['-m', 'x'], /-m: x is no number/);
  await refused(['-D', 'vmid=1', '-m', '0'], /mem_size: 0 is no size in MB/);
  await refused(['-D', 'vmid=1', '-d', 'sda'], /Invalid block device specification : sda/);
  await refused(['-D', 'vmid=1', '-d', 'odd:x,sda1,w'], /Invalid block device specification : odd:x/);
  await refused(['-D', 'vmid=1', '-k', '/none'], /image file '\/none' does not exist/);
  await refused(['-D', 'vmid=1', '-L', '/none'], /Error restoring domain: no domain was saved to \/none/);
  await refused(['-D', 'vmid=1', '-m', '999999999'], /Error creating domain: .*memory/);
  assert.equal((await create('-D', 'vmid=1', '-n'))[0], 1);
  assert.equal((await h.house.xenops.vm.list({})).length, before);

  assert.equal((await control())[0], 255);
  assert.match((await control('stop', '77'))[2], /domain 77: there is no such domain/);
  assert.match((await control('stop', 'x'))[2], /the domain must be a number, not "x"/);
  assert.match((await control('stop'))[2], /stop needs 1 arguments/);
  assert.equal((await service('restart'))[0], 1);
});
