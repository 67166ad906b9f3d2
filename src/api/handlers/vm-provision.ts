/** `other_config:disks` of a template: the disks that provisioning makes. Source: reference/xenapi, VM.provision. */
import { Unwind } from '../../base/unwind.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Ctx } from '../context.ts';
import { driveName } from '../translate/vm.ts';
import { destroyDisk, type NewDisk } from './vdi-work.ts';

interface Wanted {
  readonly device: string;
  readonly size: number;
  readonly sr: string;
  readonly bootable: boolean;
}

/** `<provision><disk device="0" size="8589934592" sr="" bootable="true" type="system"/></provision>` → its disks. */
export function parseProvision(text: string): Wanted[] {
  const out: Wanted[] = [];
  for (const [, attributes = ''] of text.matchAll(/<disk\b([^>]*?)\/?>/g)) {
    const get = (name: string) => new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`).exec(attributes)?.[1] ?? '';
    const size = Number(get('size'));
    if (!Number.isSafeInteger(size) || size <= 0)
      throw fail('VALUE_NOT_SUPPORTED', {
        field: 'other_config:disks',
        value: text,
        reason: 'Each disk needs a size in bytes',
      });
    out.push({ device: get('device'), size, sr: get('sr'), bootable: get('bootable') === 'true' });
  }
  return out;
}

/** Makes the disks that the template asks for and attaches them; all or none. The request is taken off the VM. */
export async function provisionDisks(
  ctx: Ctx,
  vm: Ref<'VM'>,
  create: (ctx: Ctx, disk: NewDisk) => Promise<Ref<'VDI'>>,
): Promise<void> {
  const record = ctx.db.get('VM', vm);
  const wanted = parseProvision(record.other_config['disks'] ?? '');
  await using unwind = new Unwind();
  const made: { disk: Wanted; vdi: Ref<'VDI'> }[] = [];
  for (const disk of wanted) {
    const sr = disk.sr === '' ? ctx.db.get('pool', ctx.pool).default_SR : ctx.db.byUuid('SR', disk.sr);
    if (sr === nullRef || !ctx.db.has('SR', sr)) throw fail('SR_HAS_NO_PBDS', { sr: String(sr) });
    const vdi = await create(ctx, {
      sr,
      size: disk.size,
      name: `${record.name_label} ${disk.device}`,
      description: 'Made from a template',
      type: 'system',
    });
    unwind.add(() => destroyDisk(ctx, vdi));
    made.push({ disk, vdi });
  }
  ctx.db.write((w) => {
    for (const { disk, vdi } of made) {
      const n = Number(disk.device);
      w.create('VBD', {
        VM: vm,
        VDI: vdi,
        userdevice: disk.device,
        device: driveName(n),
        bootable: disk.bootable,
        mode: 'RW',
        type: 'Disk', // …
        unpluggable: true,
        empty: false,
        other_config: { owner: '' },
        metrics: w.create('VBD_metrics', {}),
      });
    }
    const { disks: _, ...other_config } = record.other_config;
    w.set('VM', vm, { other_config });
  });
  unwind.keep();
}
