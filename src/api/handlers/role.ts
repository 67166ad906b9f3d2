import type { role } from '../../datamodel/classes/role.ts';
import { type Role, roleOrder } from '../../datamodel/dsl.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { permissions, permissionsOf, roleRef, rolesReach } from '../rbac.ts';

const permissionsOfRole = (ctx: Ctx, ref: string): string[] =>
  permissionsOf(new Set([ctx.db.get('role', ref).name_label as Role]));
/** Roles that have the permission of this name. */
function rolesWith(name: string): string[] {
  const found = permissions().filter((p) => p.name === name);
  const has = (role: Role) => found.some((p) => rolesReach(new Set([role]), p.role, p.extra));
  return roleOrder.filter(has).map(roleRef);
}

/** XenAPI class role. Permissions have names and references, but no rows: there are more than two thousand. */
export const roleHandlers: ClassHandlers<typeof role> = {
  get_permissions: (ctx, a) => permissionsOfRole(ctx, a.self).map(roleRef),
  get_permissions_name_label: (ctx, a) => permissionsOfRole(ctx, a.self),
  get_by_permission: (_ctx, a) => {
    const name = permissions().find((p) => roleRef(p.name) === a.permission)?.name;
    return name === undefined ? [] : rolesWith(name);
  },
  get_by_permission_name_label: (_ctx, a) => rolesWith(a.label),
};
