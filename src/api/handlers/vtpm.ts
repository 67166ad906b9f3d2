/** VTPM: a TPM for a VM that is off; its contents are the domain manager's while the VM is registered. */
import type { VTPM } from '../../datamodel/classes/vtpm.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { firmwareOf, giveFirmware, removeTpm } from '../firmware.ts';
import { domainType } from '../translate/vm.ts';

/** Bytes of base64. */
const largest = 2 << 20;

function halted(ctx: Ctx, vm: Ref<'VM'>): void {
  const { power_state } = ctx.db.get('VM', vm);
  if (power_state !== 'Halted')
    throw fail('VM_BAD_POWER_STATE', { vm, expected: 'halted', actual: power_state.toLowerCase() });
}

export const vtpmHandlers: ClassHandlers<typeof VTPM> = {
  async create(ctx, { vM: vm, is_unique }) {
    halted(ctx, vm);
    const { VTPMs, ...rest } = ctx.db.get('VM', vm);
    if (VTPMs.length > 0) throw fail('VTPM_MAX_AMOUNT_REACHED', { amount: '1' });
    if (domainType(rest) !== 'hvm')
      throw fail('OPERATION_NOT_ALLOWED', {
        reason: 'Only a VM with firmware (HVM-boot-policy "BIOS order") can have a TPM',
      });
    const { capabilities, backend } = await ask(ctx, () => ctx.xenops.host.stat({}));
    if (!capabilities.includes('tpm'))
      throw fail('OPERATION_NOT_ALLOWED', { reason: `There are no TPMs on ${backend}` });
    const made = ctx.db.write((w) =>
      w.create('VTPM', { VM: vm, is_unique, persistence_backend: 'xapi', is_protected: false, contents: nullRef }),
    );
    await ask(ctx, () => ctx.registrar.push(vm));
    return made;
  },
  async destroy(ctx, { self }) {
    const { VM: vm } = ctx.db.get('VTPM', self);
    halted(ctx, vm);
    const state = await firmwareOf(ctx, vm);
    ctx.db.write((w) => removeTpm(ctx.db, w, self));
    await ask(ctx, () => ctx.registrar.push(vm));
    if (state.tpm !== null) await giveFirmware(ctx, vm, { ...state, tpm: null });
  },
  async get_contents(ctx, { self }) {
    return (await firmwareOf(ctx, ctx.db.get('VTPM', self).VM)).tpm ?? '';
  },
  async set_contents(ctx, { self, contents }) {
    if (contents.length > largest)
      throw fail('VALUE_NOT_SUPPORTED', {
        field: 'contents',
        value: `${contents.length} bytes`,
        reason: `At most ${largest}`,
      });
    const { VM: vm } = ctx.db.get('VTPM', self);
    halted(ctx, vm);
    const state = await firmwareOf(ctx, vm);
    await giveFirmware(ctx, vm, { ...state, tpm: contents === '' ? null : contents });
  },
};
