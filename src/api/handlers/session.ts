import type { session } from '../../datamodel/classes/session.ts';
import { fail } from '../../datamodel/errors.ts';
import type { ClassHandlers, Ctx } from '../context.ts';

function assertSuperuser(ctx: Ctx): void {
  if (!ctx.session.superuser)
    throw fail('USER_IS_NOT_LOCAL_SUPERUSER', { msg: `${ctx.session.user} is not root of this host` });
}
async function login(ctx: Ctx, user: string, password: string, originator: string): Promise<string> {
  return (await ctx.server.logins.login(ctx.caller, user, password, originator)).ref;
}
/** Other hosts of a pool show its secret; a host that is alone has none. */
function noPool(ctx: Ctx): never {
  throw fail('SESSION_AUTHENTICATION_FAILED', {
    user: ctx.caller.address,
    reason: 'this host is in no pool with others: there is no pool secret to log in with',
  });
}

/** XenAPI class session: logging in and out. */
export const sessionHandlers: ClassHandlers<typeof session> = {
  login_with_password: (ctx, a) => login(ctx, a.uname, a.pwd, a.originator),
  logout(ctx) {
    ctx.server.sessions.end(ctx.session.ref);
  },
  async change_password(ctx, a) {
    assertSuperuser(ctx);
    if (a.new_pwd.length < 6)
      throw fail('CHANGE_PASSWORD_REJECTED', { msg: 'the new password is shorter than 6 characters' });
    // Who came through the local socket, or through a door of this host as root, need not know the old one.
    if (!ctx.caller.local && !ctx.session.pool) await ctx.server.logins.verify('root', a.old_pwd);
    await ctx.server.changePassword(a.new_pwd);
    ctx.server.logins.forget();
  },
  slave_login: (ctx) => noPool(ctx),
  slave_local_login: (ctx) => noPool(ctx),
  slave_local_login_with_password: (ctx, a) => login(ctx, a.uname, a.pwd, ''),
  local_logout(ctx) {
    ctx.server.sessions.end(ctx.session.ref);
  },
  get_all_subject_identifiers: () => [],
  logout_subject_identifier: () => undefined,
};
