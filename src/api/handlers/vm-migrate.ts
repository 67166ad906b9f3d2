/** VM: moving to another domain. There is one host: to itself. */
import type { VM } from '../../datamodel/classes/vm.ts';
import type { SomeHandlers } from '../context.ts';
import { assertHere, operate } from './vm-power.ts';

export const vmMigrate = {
  /** `options:live` = `false` lets the guest stand still while its memory is copied. */
  pool_migrate(ctx, a) {
    assertHere(ctx, a.host);
    const live = a.options['live'] !== 'false';
    return operate(ctx, a.vm, (id, call) => ctx.xenops.vm.migrate({ id, to: null, live }, call));
  },
} satisfies SomeHandlers<typeof VM>;
