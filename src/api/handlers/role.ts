import type { role } from '../../datamodel/classes/role.ts';
import { type Role, roleOrder } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';
import type { ClassHandlers, Ctx } from '../context.ts';
import { permissions, permissionsOf, roleRef, rolesReach, roleUuid } from '../rbac.ts';

/** Permissions by reference. */
const permissionNames: ReadonlyMap<string, string> = new Map(permissions().map((p) => [roleRef(p.name), p.name]));

/** The role, or the permission as a role that has no others in it. HANDLE_INVALID. */
function roleAt(ctx: Ctx, ref: string): Rec<'role'> {
  const row = ctx.db.find('role', ref);
  if (row) return row;
  const name = permissionNames.get(ref);
  if (name === undefined) throw fail('HANDLE_INVALID', { class: 'role', handle: ref });
  return { uuid: roleUuid(name), name_label: name, name_description: 'A permission.', subroles: [], is_internal: true };
}
function permissionsOfRole(ctx: Ctx, ref: string): string[] {
  const { name_label } = roleAt(ctx, ref);
  return ctx.db.has('role', ref) ? permissionsOf(new Set([name_label as Role])) : [name_label];
}
type Self = { readonly self: string };
/** Roles that have the permission of this name. */
function rolesWith(name: string): string[] {
  const found = permissions().filter((p) => p.name === name);
  const has = (role: Role) => found.some((p) => rolesReach(new Set([role]), p.role, p.extra));
  return roleOrder.filter(has).map(roleRef);
}

/** XenAPI class role. Permissions are roles without rows, for there are more than two thousand: found by name, not listed. */
export const roleHandlers: ClassHandlers<typeof role> = {
  get_record: (ctx, a: Self) => roleAt(ctx, a.self),
  get_uuid: (ctx, a: Self) => roleAt(ctx, a.self).uuid,
  get_name_label: (ctx, a: Self) => roleAt(ctx, a.self).name_label,
  get_name_description: (ctx, a: Self) => roleAt(ctx, a.self).name_description,
  get_subroles: (ctx, a: Self) => roleAt(ctx, a.self).subroles,
  get_is_internal: (ctx, a: Self) => roleAt(ctx, a.self).is_internal,
  get_by_uuid: (ctx, a: { readonly uuid: string }) =>
    permissionNames.has(`OpaqueRef:${a.uuid}`) ? `OpaqueRef:${a.uuid}` : ctx.db.byUuid('role', a.uuid),
  get_permissions: (ctx, a) => permissionsOfRole(ctx, a.self).map(roleRef),
  get_permissions_name_label: (ctx, a) => permissionsOfRole(ctx, a.self),
  get_by_permission: (_ctx, a) => {
    const name = permissionNames.get(a.permission);
    return name === undefined ? [] : rolesWith(name);
  },
  get_by_permission_name_label: (_ctx, a) => rolesWith(a.label),
};
