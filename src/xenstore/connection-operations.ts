/** The operations on what belongs to a connection: watches and transactions. */
import type { Core } from './core.ts';
import type { Outcome } from './node-operations.ts';
import type { Request } from './request.ts';
import { Transaction } from './transaction.ts';
import { send } from './watches.ts';

const depthPattern = /^\d{1,5}$/;

export function watch(core: Core, r: Request): Outcome {
  const strings = r.strings();
  if (strings === undefined || strings.length < 2 || strings.length > 3) return 'EINVAL';
  const [sent = '', token = '', depth] = strings;
  const path = r.path(sent);
  if (path === undefined || (depth !== undefined && !depthPattern.test(depth))) return 'EINVAL';
  const { connection } = r;
  const domain = connection.domain;
  if (domain.exceeds('watches', domain.usage.watches + 1)) return 'ENOSPC';
  const watch = core.watches.add(connection, path, sent, token, depth === undefined ? undefined : Number(depth));
  if (watch === undefined) return 'EEXIST';
  if (domain.exceeds('memory', domain.usage.memory)) {
    connection.watches.splice(connection.watches.indexOf(watch), 1);
    core.watches.remove(watch);
    return 'ENOMEM';
  }
  core.journal?.watches(connection);
  r.ok();
  send(watch, sent, false);
  return undefined;
}

export function unwatch(core: Core, r: Request): Outcome {
  const strings = r.strings();
  if (strings?.length !== 2) return 'EINVAL';
  const [sent = '', token = ''] = strings;
  const path = r.path(sent);
  if (path === undefined) return 'EINVAL';
  const { connection } = r;
  const at = connection.watches.findIndex((each) => each.path.text === path.text && each.token === token);
  const [watch] = at < 0 ? [] : connection.watches.splice(at, 1);
  if (watch === undefined) return 'ENOENT';
  core.watches.remove(watch);
  core.journal?.watches(connection);
  return r.ok();
}

export function resetWatches(core: Core, r: Request): Outcome {
  core.forget(r.connection);
  core.journal?.watches(r.connection);
  return r.ok();
}

export function transactionStart(core: Core, r: Request): Outcome {
  if (r.transaction !== undefined) return 'EBUSY';
  const { connection } = r;
  const domain = connection.domain;
  if (domain.exceeds('transactions', domain.usage.transactions + 1)) return 'ENOSPC';
  if (domain.exceeds('memory', domain.usage.memory)) return 'ENOMEM';
  let id = connection.nextTransaction;
  while (id === 0 || connection.transactions.has(id)) id = (id + 1) >>> 0;
  connection.nextTransaction = (id + 1) >>> 0;
  connection.transactions.set(id, new Transaction(id, domain, core.edits.tree));
  core.openTransactions++;
  return r.reply(`${id}\0`);
}

export function transactionEnd(core: Core, r: Request): Outcome {
  const transaction = r.transaction;
  if (transaction === undefined) return 'ENOENT';
  const [verdict, ...more] = r.strings() ?? [];
  if ((verdict !== 'T' && verdict !== 'F') || more.length > 0) return 'EINVAL';
  core.endTransaction(r.connection, transaction);
  if (verdict === 'F') return r.ok();
  const { domain } = r.connection;
  if (!transaction.holds(core.edits.tree)) return 'EAGAIN';
  const added = transaction.added.get(domain);
  if (added !== undefined && added.nodes > 0 && domain.exceeds('nodes', domain.usage.nodes + added.nodes))
    return 'ENOSPC';
  if (added !== undefined && added.bytes > 0 && domain.exceeds('memory', domain.usage.memory + added.bytes))
    return 'ENOMEM';
  transaction.commit(core.edits);
  for (const change of transaction.changes) core.watches.fire(change);
  if (transaction.effects.length > 0) core.credit.spend(domain, core.openTransactions);
  return r.ok();
}
