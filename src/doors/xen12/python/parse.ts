/** Statements of a settings file. Throws SettingsError at the first thing that is not understood. */
import { parseExpression, parseExpressions, parseParameters, parseTarget } from './parse-expression.ts';
import type { Block, Expression, Statement } from './syntax.ts';
import { TokenStream } from './token-stream.ts';
import { tokenise } from './tokens.ts';

export function parseSettings(text: string): Block {
  const tokens = new TokenStream(tokenise(text));
  const block: Statement[] = [];
  while (tokens.peek.kind !== 'end') block.push(...statement(tokens, 0));
  return block;
}
type Row = (t: TokenStream, depth: number) => Statement;
const deepest = 50;

function block(t: TokenStream, depth: number): Block {
  if (depth > deepest) throw t.mistake('this is nested too deeply');
  t.expect(':');
  if (!t.takeKind('newline')) return simple(t);
  if (!t.takeKind('indent')) throw t.mistake('an indented line is expected');
  const body: Statement[] = [];
  while (t.peek.kind !== 'dedent') body.push(...statement(t, depth + 1));
  t.next();
  return body;
}
/** One compound statement, or the simple ones of a line. */
function statement(t: TokenStream, depth: number): Statement[] {
  if (t.peek.kind === 'indent') throw t.mistake('this line is indented without need');
  const row = t.peek.kind === 'name' && Object.hasOwn(compound, t.peek.text) ? compound[t.peek.text] : undefined;
  return row ? [row(t, depth)] : simple(t);
}
function simple(t: TokenStream): Statement[] {
  const found: Statement[] = [];
  do {
    if (t.peek.kind === 'newline') break;
    const { kind, text } = t.peek;
    if (kind === 'name' && text === 'import') {
      found.push(...imports(t));
      continue;
    }
    const row = kind === 'name' && Object.hasOwn(small, text) ? small[text] : undefined;
    // `print(…)` and `exec` as functions of the file's own are expressions; a print statement may have brackets too.
    found.push(row ? row(t, 0) : assignment(t));
  } while (t.take(';'));
  if (t.peek.kind !== 'newline') throw t.mistake(`the end of the line is expected, not ${t.shown}`);
  t.next();
  return found;
}
function imports(t: TokenStream): Statement[] {
  const at = t.placeOfNext();
  const found: Statement[] = [];
  do {
    const module = dotted(t);
    const as = t.takeName('as') ? t.name() : (module.split('.')[0] as string);
    found.push({ ...at, is: 'import', module, as });
  } while (t.take(','));
  return found;
}
function assignment(t: TokenStream): Statement {
  const at = t.place;
  const first = parseExpressions(t);
  const op = ['+=', '-=', '*=', '/=', '%='].find((o) => t.take(o));
  if (op) return { ...at, is: 'change', target: assignable(t, first), op: op.slice(0, -1), value: parseExpressions(t) };
  const all = [first];
  while (t.take('=')) all.push(parseExpressions(t));
  const value = all.pop() as Expression;
  if (all.length === 0) return { ...at, is: 'expression', value };
  return { ...at, is: 'assign', targets: all.map((e) => assignable(t, e)), value };
}
function assignable(t: TokenStream, e: Expression): Expression {
  if (e.is === 'list' || e.is === 'tuple') for (const item of e.items) assignable(t, item);
  else if (e.is !== 'name' && e.is !== 'index' && e.is !== 'attribute')
    throw t.mistake('nothing can be assigned to what stands left of "="', e);
  return e;
}

const small: Readonly<Record<string, Row>> = {
  pass: (t) => word(t, 'pass'),
  break: (t) => word(t, 'break'),
  continue: (t) => word(t, 'continue'),
  return(t) {
    const at = t.placeOfNext();
    return ends(t) ? { ...at, is: 'return' } : { ...at, is: 'return', value: parseExpressions(t) };
  },
  assert(t) {
    const at = t.placeOfNext();
    const that = parseExpression(t);
    return t.take(',') ? { ...at, is: 'assert', that, message: parseExpression(t) } : { ...at, is: 'assert', that };
  },
  raise(t) {
    const at = t.placeOfNext();
    if (ends(t)) return { ...at, is: 'raise' };
    const what = parseExpression(t);
    if (!t.take(',')) return { ...at, is: 'raise', what };
    return { ...at, is: 'raise', what: { ...at, is: 'call', callee: what, args: [parseExpression(t)], named: [] } };
  },
  print(t) {
    const at = t.placeOfNext();
    const to = t.take('>>') ? parseExpression(t) : undefined;
    if (to) t.take(',');
    const items: Expression[] = [];
    let open = false;
    while (!ends(t)) {
      items.push(parseExpression(t));
      open = t.take(',');
      if (!open) break;
    }
    return { ...at, is: 'print', ...(to ? { to } : {}), items, open };
  },
  from(t) {
    const at = t.placeOfNext();
    const module = dotted(t);
    if (!t.takeName('import')) throw t.mistake(`"import" is expected, not ${t.shown}`);
    if (t.take('*')) return { ...at, is: 'import', module, as: '', names: [['*', '*']] };
    const names: [string, string][] = [];
    do {
      const name = t.name();
      names.push([name, t.takeName('as') ? t.name() : name]);
    } while (t.take(','));
    return { ...at, is: 'import', module, as: '', names };
  },
  global(t) {
    const at = t.placeOfNext();
    const names = [t.name()];
    while (t.take(',')) names.push(t.name());
    return { ...at, is: 'global', names };
  },
  del(t) {
    const at = t.placeOfNext();
    const targets = [parseTarget(t)];
    while (t.take(',')) targets.push(parseTarget(t));
    return { ...at, is: 'del', targets };
  },
};
function word(t: TokenStream, is: 'pass' | 'break' | 'continue'): Statement {
  return { ...t.placeOfNext(), is };
}
const ends = (t: TokenStream): boolean => t.peek.kind === 'newline' || t.peek.text === ';';
function dotted(t: TokenStream): string {
  let name = t.name();
  while (t.take('.')) name += `.${t.name()}`;
  return name;
}

const compound: Readonly<Record<string, Row>> = {
  if(t, depth) {
    const at = t.placeOfNext();
    const branches: { when?: Expression; body: Block }[] = [];
    branches.push({ when: parseExpression(t), body: block(t, depth) });
    while (t.takeName('elif')) branches.push({ when: parseExpression(t), body: block(t, depth) });
    if (t.takeName('else')) branches.push({ body: block(t, depth) });
    return { ...at, is: 'if', branches };
  },
  for(t, depth) {
    const at = t.placeOfNext();
    const target = parseTarget(t);
    if (!t.takeName('in')) throw t.mistake(`"in" is expected, not ${t.shown}`);
    return { ...at, is: 'for', target, of: parseExpressions(t), body: block(t, depth) };
  },
  while(t, depth) {
    const at = t.placeOfNext();
    return { ...at, is: 'while', when: parseExpression(t), body: block(t, depth) };
  },
  def(t, depth) {
    const at = t.placeOfNext();
    const name = t.name();
    t.expect('(');
    const parameters = parseParameters(t, ')');
    t.expect(')');
    return { ...at, is: 'def', name, parameters, body: block(t, depth) };
  },
  try(t, depth) {
    const at = t.placeOfNext();
    const body = block(t, depth);
    const handlers: { kinds?: Expression; as?: string; body: Block }[] = [];
    while (t.takeName('except')) {
      if (t.peek.text === ':') handlers.push({ body: block(t, depth) });
      else {
        const kinds = parseExpression(t);
        const as = t.take(',') || t.takeName('as') ? t.name() : undefined;
        handlers.push({ kinds, ...(as ? { as } : {}), body: block(t, depth) });
      }
    }
    const otherwise = t.takeName('else') ? block(t, depth) : undefined;
    const last = t.takeName('finally') ? block(t, depth) : undefined;
    if (handlers.length === 0 && !last) throw t.mistake('"except" or "finally" is expected after "try"');
    return { ...at, is: 'try', body, handlers, ...(otherwise ? { otherwise } : {}), ...(last ? { last } : {}) };
  },
};
