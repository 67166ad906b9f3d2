import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { passthroughProblem, readDevices } from './passthrough.ts';

const pci = '/sys/bus/pci/devices';
const usb = '/sys/bus/usb/devices';
/** A machine of these files; a value that begins with `->` is a link. */
function machine(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'sys-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [path, value] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (value.startsWith('->')) symlinkSync(value.slice(2), join(root, path));
    else writeFileSync(join(root, path), value);
  }
  return root;
}
const card = (address: string, driver: string, group: string) => ({
  [`${pci}/${address}/class`]: '0x020000\n',
  [`${pci}/${address}/vendor`]: '0x8086\n',
  [`${pci}/${address}/device`]: '0x10d3\n',
  [`${pci}/${address}/driver`]: `->../drivers/${driver}`,
  [`${pci}/${address}/iommu_group`]: `->../groups/${group}`,
  [`/sys/kernel/iommu_groups/${group}/devices/${address}`]: '',
});
const stick = (path: string, bus: string, device: string, kind = '00') => ({
  [`${usb}/${path}/busnum`]: bus,
  [`${usb}/${path}/devnum`]: device,
  [`${usb}/${path}/idVendor`]: '0781',
  [`${usb}/${path}/product`]: 'Stick',
  [`${usb}/${path}/speed`]: '480',
  [`${usb}/${path}/bDeviceClass`]: kind,
});
const why = async (root: string, pcis: string[], usbs: string[] = []) =>
  (await passthroughProblem({ pcis, usbs }, root))?.reason;
const [one, two] = ['0000:03:00.0', '0000:03:00.1'];

test('a machine without an IOMMU says so, whatever is asked for', async (t) => {
  const root = machine(t, { [`${pci}/${one}/class`]: '0x020000' });
  assert.match((await why(root, [one])) ?? '', /no IOMMU.*intel_iommu=on/);
  assert.match((await why(root, ['0000:09:00.0'])) ?? '', /no IOMMU/);
  assert.match((await why(root, [], ['1-1'])) ?? '', /no USB devices/);
  assert.equal(await why(root, []), undefined);
});

test('a PCI device can be given when its whole group can', async (t) => {
  const shared = machine(t, { ...card(one, 'vfio-pci', '7'), ...card(two, 'e1000e', '7'), '/dev/vfio/7': '' });
  assert.match((await why(shared, [one])) ?? '', /0000:03:00\.1 is in its IOMMU group 7 and has the driver e1000e/);
  assert.match((await why(shared, [two])) ?? '', /its driver is e1000e; it must be vfio-pci/);
  assert.match((await why(shared, ['0000:09:00.0'])) ?? '', /no such device; there are 0000:03:00\.0, 0000:03:00\.1/);
  const own = machine(t, { ...card(one, 'vfio-pci', '7'), ...card(two, 'pcieport', '7') });
  assert.match((await why(own, [one])) ?? '', /\/dev\/vfio\/7 is missing/);
  const whole = machine(t, { ...card(one, 'vfio-pci', '7'), '/dev/vfio/7': '' });
  assert.equal(await why(whole, [one]), undefined);
  const [device] = (await readDevices(whole)).pci;
  assert.deepEqual([device?.class, device?.vendor, device?.driver], ['020000', '8086', 'vfio-pci']);
});

test('a USB device can be given when it is no hub and its file is there', async (t) => {
  const root = machine(t, {
    ...stick('1-1.2', '1', '5'),
    ...stick('1-1', '1', '2', '09'),
    [`${usb}/usb1/busnum`]: '1',
    '/dev/bus/usb/001/005': '',
  });
  assert.equal(await why(root, [], ['1-1.2']), undefined);
  assert.equal(await why(root, [], ['1-1']), 'it is a hub');
  assert.match((await why(root, [], ['2-1'])) ?? '', /nothing is plugged in there; there are 1-1, 1-1\.2/);
  const found = (await readDevices(root)).usb.find((d) => d.path === '1-1.2');
  assert.deepEqual([found?.vendor, found?.productName, found?.speed], ['0781', 'Stick', 480]);
});
