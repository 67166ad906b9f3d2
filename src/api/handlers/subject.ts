import type { auth } from '../../datamodel/classes/auth.ts';
import type { subject } from '../../datamodel/classes/subject.ts';
import type { user } from '../../datamodel/classes/user.ts';
import type { Role } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { permissionsOf } from '../rbac.ts';

/** XenAPI class subject: users and groups of the external directory, with their roles. */
export const subjectHandlers: ClassHandlers<typeof subject> = {
  add_to_roles(ctx, a) {
    const { roles } = ctx.db.get('subject', a.self);
    ctx.db.get('role', a.role);
    if (roles.includes(a.role)) throw fail('ROLE_ALREADY_EXISTS', {});
    ctx.db.set('subject', a.self, { roles: [...roles, a.role] });
  },
  remove_from_roles(ctx, a) {
    const { roles } = ctx.db.get('subject', a.self);
    if (!roles.includes(a.role)) throw fail('ROLE_NOT_FOUND', {});
    ctx.db.set('subject', a.self, { roles: roles.filter((r) => r !== a.role) });
  },
  get_permissions_name_label(ctx, a) {
    const names = ctx.db.get('subject', a.self).roles.flatMap((r) => ctx.db.find('role', r)?.name_label ?? []);
    return permissionsOf(new Set(names as Role[]));
  },
};
export const userHandlers: ClassHandlers<typeof user> = {};

const disabled = (_: Ctx): never => {
  throw fail('AUTH_IS_DISABLED', {});
};
/** XenAPI class auth: questions to the external directory. None is joined. */
export const authHandlers: ClassHandlers<typeof auth> = {
  get_subject_identifier: disabled,
  get_subject_information_from_identifier: disabled,
  get_group_membership: disabled,
};
