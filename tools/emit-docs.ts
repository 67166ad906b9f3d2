/**
 * Writes `docs/reference/` from the declarations: the API by class, its errors, who may call what, and the messages without an
 * implementation. `--check` compares instead and names the files that are stale.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unimplemented } from '../src/api/unimplemented.ts';
import { type Class, lifeState } from '../src/datamodel/dsl.ts';
import { errors } from '../src/datamodel/error-codes.ts';
import { apiVersion, classes } from '../src/datamodel/index.ts';
import { allMessages, type FullMessage } from '../src/datamodel/messages.ts';
import { typeText } from '../src/datamodel/type-text.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'reference');
const pending: ReadonlySet<string> = new Set(unimplemented);

function signature(m: FullMessage): string {
  const params = Object.entries(m.params).map(([name, type]) => {
    const preset = type.default === undefined ? '' : ` = ${JSON.stringify(type.default)}`;
    return `${typeText(type)} ${name}${preset}`;
  });
  return `${typeText(m.result)} ${m.method}(${params.join(', ')})`;
}

function classPage(c: Class): string {
  const lines = [`## ${c.name}`, '', c.doc, ''];
  const fields = Object.entries(c.fields).filter(([, f]) => !f.internal);
  if (fields.length > 0) {
    lines.push('| field | type | access | what |', '|---|---|---|---|');
    for (const [name, f] of fields) {
      const state = lifeState(f.life);
      const mark = state === 'deprecated' || state === 'removed' ? ` (${state})` : '';
      lines.push(`| \`${name}\` | ${typeText(f.type)} | ${f.access} | ${f.doc}${mark} |`);
    }
    lines.push('');
  }
  const messages = [...allMessages(c).values()].filter((m) => m.kind === 'custom' && !m.hidden);
  for (const m of messages) {
    const mark = pending.has(m.method) ? ' *Not implemented yet.*' : '';
    lines.push(`- \`${signature(m)}\` — ${m.doc} Role ${m.role}.${mark}`);
  }
  if (messages.length > 0) lines.push('');
  return lines.join('\n');
}

function apiReference(): string {
  const head = [
    '# XenAPI reference',
    '',
    `API version ${apiVersion.major}.${apiVersion.minor}. Made from \`src/datamodel\` by \`tools/emit-docs.ts\`; change the declarations, not this page.`,
    'Every class that is in the database also has the messages that follow from its fields: `get_<field>`, `set_<field>`, `add_to_<map>`,',
    '`remove_from_<map>`, `add_<set>`, `remove_<set>`, `get_record`, `get_by_uuid`, `get_all`, `get_all_records`, `get_all_records_where`.',
    '',
  ];
  return `${[...head, ...Object.values(classes).map(classPage)].join('\n').trimEnd()}\n`;
}

function errorReference(): string {
  const rows = Object.entries(errors).map(
    ([code, e]) => `| \`${code}\` | ${e.params === null ? 'not fixed' : e.params.join(', ')} | ${e.doc} |`,
  );
  return ['# Error codes', '', '| code | parameters | meaning |', '|---|---|---|', ...rows, ''].join('\n');
}

function roleMatrix(): string {
  const rows = Object.values(classes).flatMap((c) =>
    [...allMessages(c).values()].map((m) => [m.method, m.role, ...(m.extraRoles ?? [])].join('\t')),
  );
  return ['# message, weakest role, further roles', ...rows, ''].join('\n');
}

/** File name → text. */
export const pages = (): ReadonlyMap<string, string> =>
  new Map([
    ['xenapi.md', apiReference()],
    ['errors.md', errorReference()],
    ['roles.tsv', roleMatrix()],
    ['unimplemented.txt', `${[...unimplemented].join('\n')}\n`],
  ]);

/** The pages whose committed text differs. */
export function stale(): string[] {
  return [...pages()]
    .filter(([name, text]) => !existsSync(join(folder, name)) || readFileSync(join(folder, name), 'utf8') !== text)
    .map(([name]) => name);
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const names = stale();
    for (const name of names) console.error(`docs/reference/${name} is stale: run bin/node tools/emit-docs.ts`);
    process.exit(names.length > 0 ? 1 : 0);
  }
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of pages()) writeFileSync(join(folder, name), text);
}
