/** The golden text of every plan. `UPDATE_GOLDEN=1` writes it anew. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type Plan, planText } from '../plan.ts';
import { testDisk, testSpec, testVif, vmId } from '../testing/house.ts';
import { keysPlan, memoryPlan, pausePlan, unpausePlan, vcpusPlan } from './adjust.ts';
import { rebootPlan } from './reboot.ts';
import { resumePlan } from './resume.ts';
import { shutdownPlan } from './shutdown.ts';
import { snapshotPlan } from './snapshot.ts';
import { buildPlan, createPlan, startPlan } from './start.ts';
import { suspendPlan } from './suspend.ts';
import { vbdEjectPlan, vbdInsertPlan, vbdPlugPlan, vbdUnplugPlan } from './vbd.ts';
import { vifPlugPlan, vifUnplugPlan } from './vif.ts';

const spec = testSpec(1);
const bare = testSpec(2, { vbds: [], vifs: [] });
const loaded = testSpec(3, {
  vbds: [],
  vifs: [],
  boot: { kind: 'bootloader', bootloader: 'pygrub', args: '', cmdline: '' },
});
const id = vmId(1);
const image = { kind: 'vdi' as const, sr: 'sr', vdi: 'image' };
const iso = { kind: 'path' as const, path: '/isos/debian.iso', format: 'raw' as const };
const cd = (n: string, position: number) => ({
  id: n,
  position,
  type: 'CD' as const,
  mode: 'RO' as const,
  media: image,
});
const disk = testDisk(1, 1);
const frozen = (n: number) => ({ vbd: `disk${n}`, sr: 'sr', vdi: `vdi-1-${n}`, to: `snapshot-${n}` });
const plans: Readonly<Record<string, Plan>> = {
  start: startPlan(spec, { domid: 7, paused: false }),
  'start, paused': startPlan(spec, { domid: 7, paused: true }),
  'start, no devices': startPlan(bare, { domid: 7, paused: false }),
  'shutdown, by force': shutdownPlan(spec, { timeoutS: null }),
  'shutdown, asked': shutdownPlan(spec, { timeoutS: 60 }),
  'shutdown, no devices': shutdownPlan(bare, { timeoutS: null }),
  'shutdown, one disk in two drives': shutdownPlan({ ...bare, vbds: [cd('a', 0), cd('b', 1)] }, { timeoutS: null }),
  'reboot, by force': rebootPlan(spec, spec, { domid: 8, timeoutS: null }),
  'reboot, asked, a disk more': rebootPlan(spec, { ...spec, vbds: [...spec.vbds, disk] }, { domid: 8, timeoutS: 60 }),
  suspend: suspendPlan(spec, { image }),
  resume: resumePlan(spec, { domid: 8, image, paused: false }),
  'resume, paused': resumePlan(spec, { domid: 8, image, paused: true }),
  'start, by a boot loader': startPlan(loaded, { domid: 7, paused: false }),
  'shutdown, by a boot loader': shutdownPlan(loaded, { timeoutS: null }),
  create: createPlan(loaded, { domid: 7 }),
  build: buildPlan(spec),
  pause: pausePlan(id),
  unpause: unpausePlan(id),
  'VBD.plug': vbdPlugPlan(spec, disk),
  'VBD.unplug': vbdUnplugPlan(spec, testDisk(1, 0), { force: false }),
  'VBD.unplug, by force': vbdUnplugPlan(spec, testDisk(1, 0), { force: true }),
  'VBD.insert': vbdInsertPlan(spec, { ...cd('cd', 3), media: null }, { media: iso }),
  'VBD.eject': vbdEjectPlan(spec, cd('cd', 3)),
  'VBD.eject, the disc is in another drive too': vbdEjectPlan({ ...bare, vbds: [cd('a', 0), cd('b', 1)] }, cd('a', 0)),
  'VIF.plug': vifPlugPlan(id, testVif(1, 1)),
  'VIF.unplug': vifUnplugPlan(id, testVif(1, 0), { force: false }),
  snapshotDisks: snapshotPlan(spec, [0, 1].map(frozen), { quiesce: false }),
  'snapshotDisks, quiesced': snapshotPlan(spec, [frozen(0)], { quiesce: true }),
  setVcpus: vcpusPlan(id, { count: 4, was: 2 }),
  setMemoryTarget: memoryPlan(id, { bytes: 128, was: 256 }),
  sendKeys: keysPlan(id, { kind: 'sysrq', value: 's' }),
};

test('every plan reads as in tests/golden/plans.txt', () => {
  const text = Object.entries(plans)
    .map(([name, plan]) => `${name}:\n${planText(plan, '  ')}`)
    .join('\n');
  const file = join(import.meta.dirname, '../../../tests/golden/plans.txt');
  if (process.env['UPDATE_GOLDEN']) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
});
