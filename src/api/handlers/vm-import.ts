/** VM: made of a file that the host fetches. */
import type { VM } from '../../datamodel/classes/vm.ts';
import { nullRef } from '../../datamodel/dsl.ts';
import type { SomeHandlers } from '../context.ts';
import { importUpload, remoteOf } from '../routes/vm-import.ts';

export const vmImport = {
  async import(ctx, a) {
    const query = new URLSearchParams({ restore: String(a.full_restore), force: String(a.force) });
    if (a.sr !== nullRef) query.set('sr_id', a.sr);
    return importUpload(ctx, new URL(`http://host/import?${query}`), await remoteOf(a.url, ctx.task));
  },
} satisfies SomeHandlers<typeof VM>;
