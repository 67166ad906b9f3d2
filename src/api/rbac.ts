/** Who may call what: roles in an order, read from the declarations. */
import { createHash } from 'node:crypto';
import { type Role, type RoleName, roleOrder } from '../datamodel/dsl.ts';
import { type ApiError, fail } from '../datamodel/errors.ts';
import type { ClassName } from '../datamodel/index.ts';
import { classes } from '../datamodel/index.ts';
import { allMessages, type FullMessage } from '../datamodel/messages.ts';
import type { Writer } from '../db/db.ts';
import type { Session } from './context.ts';

/** Whether the roles reach `needed`, or are one of the extra ones. `local-root` is reached by none. */
export function rolesReach(roles: ReadonlySet<Role>, needed: Role, extra: readonly Role[] = []): boolean {
  if (needed !== 'local-root') {
    const rank = roleOrder.indexOf(needed);
    for (const role of roles) if (role !== 'local-root' && roleOrder.indexOf(role) <= rank) return true;
  }
  return extra.some((role) => roles.has(role));
}
export function denied(session: Session, permission: string, needed: Role): ApiError {
  const has = [...session.roles].join(', ') || 'none';
  return fail('RBAC_PERMISSION_DENIED', {
    permission,
    message: `this needs the role ${needed} or a stronger one; the roles of ${session.user || 'the caller'}: ${has}`,
  });
}
/** RBAC_PERMISSION_DENIED unless the session has the role. Superusers have every one. */
export function assertRole(session: Session, permission: string, needed: Role, extra?: readonly Role[]): void {
  if (!session.superuser && !rolesReach(session.roles, needed, extra)) throw denied(session, permission, needed);
}

/** The role that a guarded map key needs: exact, then the longest prefix that ends in `*`. */
export function keyRole(
  keyRoles: Readonly<Record<string, Role>>,
  key: string,
): { readonly pattern: string; readonly role: Role } | undefined {
  if (Object.hasOwn(keyRoles, key)) return { pattern: key, role: keyRoles[key] as Role };
  const prefixes = Object.keys(keyRoles).filter((p) => p.endsWith('*') && key.startsWith(p.slice(0, -1)));
  const pattern = prefixes.sort((a, b) => b.length - a.length)[0];
  return pattern === undefined ? undefined : { pattern, role: keyRoles[pattern] as Role };
}
/** Checks a call of `m`. `key` is the map key that it adds or removes, if it does. */
export function assertMessage(session: Session, m: FullMessage, key: string | undefined): void {
  if (session.superuser) return;
  const permission = m.method.toLowerCase();
  const guarded = m.keyRoles && key !== undefined ? keyRole(m.keyRoles, key) : undefined;
  if (guarded) assertRole(session, `${permission}/key:${guarded.pattern}`, guarded.role);
  else assertRole(session, permission, m.role, m.extraRoles);
}

/** Every permission with the roles that have it. */
export function permissions(): readonly {
  readonly name: string;
  readonly role: Role;
  readonly extra: readonly Role[];
}[] {
  const out: { name: string; role: Role; extra: readonly Role[] }[] = [
    { name: 'task.destroy/any', role: 'pool-operator', extra: [] },
  ];
  for (const c of Object.values(classes))
    for (const m of allMessages(c).values()) {
      const name = m.method.toLowerCase();
      out.push({ name, role: m.role, extra: m.extraRoles ?? [] });
      for (const [key, role] of Object.entries(m.keyRoles ?? {}))
        out.push({ name: `${name}/key:${key}`, role, extra: [] });
    }
  return out;
}
/** Names of the permissions that these roles give, sorted. */
export const permissionsOf = (roles: ReadonlySet<Role>): string[] =>
  [...new Set(permissions().flatMap((p) => (rolesReach(roles, p.role, p.extra) ? [p.name] : [])))].sort();

const sentences: Readonly<Record<RoleName, string>> = {
  'pool-admin': 'May do everything.',
  'pool-operator': 'Manages hosts, storage and networks, but not users.',
  'vm-power-admin': 'Creates VMs, moves them and takes snapshots with memory.',
  'vm-admin': 'Creates, changes and destroys VMs.',
  'vm-operator': 'Starts, stops and uses VMs.',
  'client-cert': 'What hosts that log in by certificate may do.',
  'read-only': 'Sees everything and changes nothing.',
};
/** The UUID of a role or permission: MD5 of its name. */
export function roleUuid(name: string): string {
  const hex = createHash('md5').update(name).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
export const roleRef = (name: string): string => `OpaqueRef:${roleUuid(name)}`;

/** Makes the rows of the seven roles; those that are there stay. */
export function ensureRoles(db: Writer & { has(cls: ClassName, ref: string): boolean }): void {
  for (const [i, name] of roleOrder.entries()) {
    const ref = roleRef(name);
    if (db.has('role', ref)) continue;
    const subroles = roleOrder.slice(i + 1).map(roleRef);
    const fields = { uuid: roleUuid(name), name_label: name, name_description: sentences[name], subroles };
    db.create('role', { ...fields, is_internal: name === 'client-cert' }, ref);
  }
}
