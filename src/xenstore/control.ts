/** CONTROL: what an administrator asks the daemon itself. One row per command. */
import { type ErrorName, errorNames } from '../wire/xenstore.ts';
import type { Core } from './core.ts';
import type { Domain } from './domains.ts';
import type { Outcome } from './node-operations.ts';
import { isQuotaName, type QuotaName, quotaNames } from './quotas.ts';
import { parseDomid, parseNumber, type Request } from './request.ts';
import { nodesOf } from './tree.ts';

/**
 * Replaces the running program by a new one. Called with the command's arguments (`-f FILE`, `-s -t SECONDS -F`, `-a`, …); answers the text to
 * reply: `OK`, `BUSY` to be asked again, or what is wrong.
 */
export type LiveUpdate = (args: readonly string[]) => string;

interface Command {
  readonly usage: string;
  /** The text to answer, or the error. */
  readonly run: (core: Core, args: readonly string[]) => { readonly text: string } | { readonly error: ErrorName };
}

const ok = { text: 'OK' };
const wrong = { error: 'EINVAL' } as const;

const commands: Readonly<Record<string, Command>> = {
  check: { usage: '', run: (core) => ({ text: check(core) }) },
  help: {
    usage: '',
    run: () => ({
      text: Object.entries(commands)
        .map(([name, { usage }]) => `${name}\t${usage}\n`)
        .join(''),
    }),
  },
  log: {
    usage: '[on|off]',
    run(core, [state, ...more]) {
      if (more.length > 0 || (state !== undefined && state !== 'on' && state !== 'off')) return wrong;
      if (state !== undefined) core.accessLog = state === 'on';
      return state === undefined ? { text: core.accessLog ? 'on' : 'off' } : ok;
    },
  },
  logfile: { usage: '<file>', run: logFile },
  memreport: { usage: '', run: (core) => ({ text: memoryReport(core) }) },
  print: {
    usage: '<string>',
    run(core, args) {
      if (args.length !== 1) return wrong;
      core.log.info('control print', { text: args[0] });
      return ok;
    },
  },
  quota: { usage: '[set <name> <val>|<domid>|max [-r]]', run: quota },
  'quota-soft': { usage: '[set <name> <val>]', run: softQuota },
  'live-update': {
    usage: '[-f <file>|-a|-s [-t <timeout>] [-F]]',
    run: (core, args) => ({
      text: core.liveUpdate === undefined ? 'this xenstored runs where it cannot be replaced' : core.liveUpdate(args),
    }),
  },
};

export function control(core: Core, r: Request): Outcome {
  const [name, ...args] = r.strings() ?? [];
  const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return 'EINVAL';
  const answer = command.run(core, args);
  if ('error' in answer) return answer.error;
  // An answer has to fit a packet; what does not is cut at a line.
  const text = answer.text.length < 4096 ? answer.text : answer.text.slice(0, answer.text.lastIndexOf('\n', 4090) + 1);
  return r.reply(`${text}\0`);
}

/** Requests are logged on a file of their own. A relative path would be below the folder that the daemon was started in. */
function logFile(core: Core, [path, ...more]: readonly string[]): ReturnType<Command['run']> {
  if (path === undefined || !path.startsWith('/') || more.length > 0) return wrong;
  try {
    core.logTo(Buffer.from(path, 'latin1').toString('utf8'));
    return ok;
  } catch (error) {
    core.log.warn('requests cannot be logged there', { path, error: String(error) });
    const { code } = error as NodeJS.ErrnoException;
    return { error: errorNames.find((name) => name === code) ?? 'EIO' };
  }
}

function quota(core: Core, args: readonly string[]): ReturnType<Command['run']> {
  const [first, ...rest] = args;
  if (first === undefined) return { text: limits(core.quotas.hard) };
  if (first === 'max') {
    if (rest[0] === '-r') for (const domain of core.domains.all()) domain.resetMaxima();
    return { text: [...core.domains.all()].map((domain) => usageText(domain, domain.maxima)).join('') };
  }
  if (first === 'set') {
    const name = quotaName(rest[0]);
    const value = parseNumber(rest[1]);
    if (name === undefined || value === undefined || rest.length !== 2) return wrong;
    core.quotas.hard[name] = value;
    return ok;
  }
  const domid = parseDomid(first);
  if (domid === undefined || rest.length > 0) return wrong;
  const domain = core.domains.find(domid);
  return domain === undefined ? { error: 'ENOENT' } : { text: usageText(domain, domain.usage) };
}

function softQuota(core: Core, args: readonly string[]): ReturnType<Command['run']> {
  if (args.length === 0) return { text: limits(core.quotas.soft) };
  const [set, nameText, valueText] = args;
  const name = quotaName(nameText);
  const value = parseNumber(valueText);
  if (set !== 'set' || name === undefined || value === undefined || core.quotas.soft[name] === undefined) return wrong;
  core.quotas.soft[name] = value;
  return ok;
}

/** Also by the name that 4.17 used. */
function quotaName(text: string | undefined): QuotaName | undefined {
  const name = text === 'permissions' ? 'node-permissions' : text;
  return name !== undefined && isQuotaName(name) ? name : undefined;
}

const limits = (values: Partial<Record<QuotaName, number>>): string =>
  quotaNames
    .filter((name) => values[name] !== undefined)
    .map((name) => `${name.padEnd(17)}: ${String(values[name]).padStart(8)}\n`)
    .reduce((text, line) => text + line, 'Quota settings:\n');

function usageText(domain: Domain, counts: Domain['usage']): string {
  const line = (name: string, value: number) => `${name.padEnd(16)}: ${String(value).padStart(8)}\n`;
  return (
    `Domain ${domain.domid}:\n` +
    line('nodes', counts.nodes) +
    line('watches', counts.watches) +
    line('transactions', counts.transactions) +
    line('outstanding', domain.connection?.output.frames ?? 0) +
    line('memory', counts.memory)
  );
}

function memoryReport(core: Core): string {
  const { rss, heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage();
  const rows = { rss, heapUsed, heapTotal, external, arrayBuffers };
  const bytes = Object.entries(rows).map(([name, value]) => `${name}: ${value}\n`);
  let nodes = 0;
  for (const _ of nodesOf(core.edits.tree.root)) nodes++;
  return (
    bytes.join('') +
    `nodes: ${nodes}\nconnections: ${core.connections.size}\nwatches: ${core.watches.count}\n` +
    `transactions: ${core.openTransactions}\n`
  );
}

/** Counts again what every domain owns, and corrects what was counted wrong. */
function check(core: Core): string {
  const counts = new Map<Domain, number>();
  for (const [, node] of nodesOf(core.edits.tree.root)) {
    const { owner } = node.permissions;
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  for (const domain of core.domains.all()) {
    const found = counts.get(domain) ?? 0;
    if (domain.usage.nodes === found) continue;
    core.log.error('a count of nodes was wrong and is corrected', {
      domid: domain.domid,
      was: domain.usage.nodes,
      is: found,
    });
    domain.usage.nodes = found;
  }
  return 'OK';
}
