import type { secret } from '../../datamodel/classes/secret.ts';
import type { ClassHandlers } from '../context.ts';

/** XenAPI class secret: texts that records refer to instead of holding them. */
export const secretHandlers: ClassHandlers<typeof secret> = {
  introduce: (ctx, a) => ctx.db.create('secret', { uuid: a.uuid, value: a.value, other_config: a.other_config }),
};
