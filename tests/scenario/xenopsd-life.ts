/** The life of a VM through xenops-cli, from an xl file: the same on every ground. */
import assert from 'node:assert/strict';
import type { XenopsdHost } from './xenopsd-host.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly power_state: string;
}
export interface LifeOptions {
  /** The xl file; the VM in it is called `myfirstvm`, with a disk and a CD drive. */
  readonly text: string;
  /** The CD drive; undefined: it has none. */
  readonly cd?: string;
  readonly image: string;
  readonly iso: string;
  /** What is plugged while it runs, as entries of `disk` and `vif`. */
  readonly disk?: { readonly name: string; readonly spec: string };
  readonly vif?: { readonly name: string; readonly spec: string };
  /** Resolves when the guest reacts to being asked; undefined: it is not asked. */
  readonly up?: (id: string) => Promise<void>;
}
/** The id of a VM that is gone again. */
export async function xenopsdLife(h: XenopsdHost, o: LifeOptions): Promise<void> {
  const power = async () => ((await h.json('list')) as Row[]).find((r) => r.name === 'myfirstvm')?.power_state;
  const id = (await h.ok('add', h.file('myvm.cfg', o.text))).trim();
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.equal(await power(), 'Halted');
  assert.match(
    await h.ok('list'),
    /^Name +ID +Mem +VCPUs +State +Time\(s\)\nmyfirstvm +- +[0-9]+ +[0-9]+ +Halted +-\n$/,
  );
  await h.ok('start', 'myfirstvm');
  assert.equal(await power(), 'Running');
  const again = await h.cli('remove', 'myfirstvm');
  assert.deepEqual([again.status, again.err], [1, 'xenops-cli: the VM is Running; it must be Halted\n']);
  await o.up?.(id);
  await h.ok('pause', 'myfirstvm');
  assert.equal(await power(), 'Paused');
  await h.ok('unpause', id);
  assert.equal(await power(), 'Running');
  await devices(h, o);
  await h.ok('suspend', 'myfirstvm', '--block-device', o.image);
  assert.equal(await power(), 'Suspended');
  await h.ok('resume', 'myfirstvm', '--block-device', o.image);
  assert.equal(await power(), 'Running');
  await h.ok('reboot', 'myfirstvm', ...(o.up ? ['--timeout', '60'] : []));
  assert.equal(await power(), 'Running');
  await o.up?.(id);
  await h.ok('shutdown', 'myfirstvm', ...(o.up ? ['--timeout', '60'] : []));
  assert.equal(await power(), 'Halted');
  const events = (await h.ok('events-watch', '--now')).split('\n');
  assert.ok(events.includes(`Vm ${id}`), events.join());
  // What was exported describes the same VM.
  const exported = h.file('again.cfg', await h.ok('export', 'myfirstvm', '--xm'));
  const before = await h.json('vm-stat', id);
  await h.ok('remove', 'myfirstvm');
  assert.equal(await power(), undefined);
  assert.equal((await h.ok('add', exported)).trim(), id);
  const after = await h.json('vm-stat', id);
  const described = (stat: unknown) => (stat as { vm: { ty: unknown; memory_static_max: number } }).vm;
  assert.deepEqual(described(after), described(before));
  await h.ok('remove', id);
}

async function devices(h: XenopsdHost, o: LifeOptions): Promise<void> {
  const plugged = async (list: 'vbd-list' | 'vif-list', name: string) => {
    const rows = (await h.json(list, 'myfirstvm')) as [{ id: [string, string] }, { plugged: boolean }][];
    return rows.find(([d]) => d.id[1] === name)?.[1].plugged;
  };
  if (o.cd !== undefined) {
    await h.ok('vbd-insert', `myfirstvm.${o.cd}`, o.iso);
    assert.match(await h.ok('vbd-list', 'myfirstvm'), new RegExp(`${o.cd} .*${o.iso}`));
    await h.ok('cd-eject', `myfirstvm.${o.cd}`);
    const empty = await h.cli('cd-eject', `myfirstvm.${o.cd}`);
    assert.deepEqual([empty.status, empty.err], [1, 'xenops-cli: the drive is empty\n']);
  }
  for (const [kind, device] of [['vbd', o.disk] as const, ['vif', o.vif] as const]) {
    if (!device) continue;
    await h.ok(`${kind}-add`, 'myfirstvm', device.spec);
    await h.ok(`${kind}-plug`, `myfirstvm.${device.name}`);
    assert.equal(await plugged(`${kind}-list`, device.name), true);
    const busy = await h.cli(`${kind}-remove`, `myfirstvm.${device.name}`);
    assert.deepEqual([busy.status, busy.err], [1, 'xenops-cli: the device is plugged; unplug it first\n']);
    await h.ok(`${kind}-unplug`, `myfirstvm.${device.name}`, '--force');
    assert.equal(await plugged(`${kind}-list`, device.name), false);
    await h.ok(`${kind}-remove`, `myfirstvm.${device.name}`);
  }
}
