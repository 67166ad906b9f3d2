/** Handlers of VM that answer at once: enough of a house to call asynchronously, cancel and fail. */

import type { Ctx } from '../../src/api/context.ts';
import { handlers } from '../../src/api/handlers/index.ts';
import type { Registry } from '../../src/api/table.ts';
import { fail } from '../../src/datamodel/errors.ts';

type Args = { readonly vm: string };
/** `VM.clone` answers the VM, `VM.start` is refused, `VM.suspend` goes on until it is cancelled. */
export const vmHandlersFor = (more: Registry[string] = {}): Registry => ({
  ...(handlers as Registry),
  VM: {
    clone: (_ctx: Ctx, a: Args) => a.vm,
    start: (_ctx: Ctx, a: Args) => {
      throw fail('VM_BAD_POWER_STATE', { vm: a.vm, expected: 'halted', actual: 'running' });
    },
    suspend: (ctx: Ctx) => {
      ctx.task.cancellable();
      ctx.task.progress(0.5);
      return new Promise((_, reject) =>
        ctx.task.signal.addEventListener('abort', () => reject(ctx.task.signal.reason), { once: true }),
      );
    },
    ...more,
  },
});
