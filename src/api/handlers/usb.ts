/** USB devices of the host, their groups, and the ones that VMs are given. */
import type { PUSB } from '../../datamodel/classes/pusb.ts';
import type { USB_group } from '../../datamodel/classes/usb-group.ts';
import type { VUSB } from '../../datamodel/classes/vusb.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { syncDevices } from '../devices.ts';

/** The controller has more ports; the field's limit. */
const most = 6;

function halted(ctx: Ctx, vm: Ref<'VM'>): void {
  const { power_state } = ctx.db.get('VM', vm);
  if (power_state !== 'Halted')
    throw fail('VM_BAD_POWER_STATE', { vm, expected: 'halted', actual: power_state.toLowerCase() });
}

export const pusbHandlers: ClassHandlers<typeof PUSB> = {
  async scan(ctx, { host }) {
    await syncDevices(ctx.db, ctx.xenops, host);
  },
  set_passthrough_enabled(ctx, { self, value }) {
    const { USB_group: group } = ctx.db.get('PUSB', self);
    const user = ctx.db.find('USB_group', group)?.VUSBs.map((r) => ctx.db.get('VUSB', r))[0];
    if (!value && user) throw fail('USB_ALREADY_ATTACHED', { PUSB: self, VM: user.VM });
    ctx.db.set('PUSB', self, { passthrough_enabled: value });
  },
};
export const usbGroupHandlers: ClassHandlers<typeof USB_group> = {
  create: (ctx, a) => ctx.db.create('USB_group', a),
  destroy(ctx, { self }) {
    const { PUSBs, VUSBs } = ctx.db.get('USB_group', self);
    if (PUSBs.length > 0) throw fail('USB_GROUP_CONTAINS_PUSB', { pusbs: PUSBs.join(', ') });
    if (VUSBs.length > 0) throw fail('USB_GROUP_CONTAINS_VUSB', { vusbs: VUSBs.join(', ') });
    ctx.db.write((w) => w.destroy('USB_group', self));
  },
};
export const vusbHandlers: ClassHandlers<typeof VUSB> = {
  async create(ctx, { VM: vm, USB_group: group, other_config }) {
    halted(ctx, vm);
    const { VUSBs } = ctx.db.get('VM', vm);
    const { PUSBs, VUSBs: users } = ctx.db.get('USB_group', group);
    if (VUSBs.length >= most) throw fail('TOO_MANY_VUSBS', { number: String(VUSBs.length) });
    if (users.length > 0) throw fail('USB_GROUP_CONFLICT', { USB_group: group });
    if (PUSBs.length === 0) throw fail('USB_GROUP_CONTAINS_NO_PUSBS', { usb_group: group });
    if (!PUSBs.some((r) => ctx.db.get('PUSB', r).passthrough_enabled))
      throw fail('OPERATION_NOT_ALLOWED', {
        reason: 'No device of the group may be given away: xe pusb-param-set uuid=… passthrough-enabled=true',
      });
    const made = ctx.db.create('VUSB', { VM: vm, USB_group: group, other_config });
    await ask(ctx, () => ctx.registrar.push(vm));
    return made;
  },
  async destroy(ctx, { self }) {
    const { VM: vm } = ctx.db.get('VUSB', self);
    halted(ctx, vm);
    ctx.db.write((w) => w.destroy('VUSB', self));
    await ask(ctx, () => ctx.registrar.push(vm));
  },
};
