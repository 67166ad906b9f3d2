/** Expressions of a settings file, from the loosest binding to the tightest. */
import type { Expression, Parameter, Place } from './syntax.ts';
import type { TokenStream } from './token-stream.ts';

const deepest = 200;
const keywords = new Set(
  'and or not in is if else elif for while try except finally def return print import from global del lambda pass break continue raise assert'.split(
    ' ',
  ),
);

/** One expression, or several with commas between: a tuple. */
export function parseExpressions(t: TokenStream): Expression {
  const at = t.place;
  const first = parseExpression(t);
  if (t.peek.text !== ',' || t.peek.kind !== 'op') return first;
  const items = [first];
  while (t.take(',')) if (begins(t)) items.push(parseExpression(t));
  return { ...at, is: 'tuple', items };
}
/** What a loop or `del` assigns to. */
export function parseTarget(t: TokenStream): Expression {
  const at = t.place;
  const first = postfix(t);
  if (t.peek.text !== ',') return first;
  const items = [first];
  while (t.take(',')) if (begins(t)) items.push(postfix(t));
  return { ...at, is: 'tuple', items };
}
export function parseParameters(t: TokenStream, end: string): Parameter[] {
  const found: Parameter[] = [];
  while (t.peek.text !== end) {
    const name = t.name();
    found.push(t.take('=') ? { name, fallback: parseExpression(t) } : { name });
    if (!t.take(',')) break;
  }
  return found;
}
function begins(t: TokenStream): boolean {
  const { kind, text } = t.peek;
  if (kind === 'name') return !keywords.has(text) || ['not', 'lambda'].includes(text);
  return (
    kind === 'number' || kind === 'string' || (kind === 'op' && ['(', '[', '{', '-', '+', '~', '`'].includes(text))
  );
}

export function parseExpression(t: TokenStream): Expression {
  if (++t.depth > deepest) throw t.mistake('this expression is nested too deeply');
  try {
    return choice(t);
  } finally {
    t.depth--;
  }
}
function choice(t: TokenStream): Expression {
  const at = t.place;
  if (t.takeName('lambda')) {
    const parameters = parseParameters(t, ':');
    t.expect(':');
    return { ...at, is: 'lambda', parameters, value: parseExpression(t) };
  }
  const yes = either(t);
  if (!t.takeName('if')) return yes;
  const when = either(t);
  if (!t.takeName('else')) throw t.mistake(`"else" is expected, not ${t.shown}`);
  return { ...at, is: 'choice', when, yes, no: parseExpression(t) };
}
function either(t: TokenStream): Expression {
  const at = t.place;
  let left = both(t);
  while (t.takeName('or')) left = { ...at, is: 'or', left, right: both(t) };
  return left;
}
function both(t: TokenStream): Expression {
  const at = t.place;
  let left = negation(t);
  while (t.takeName('and')) left = { ...at, is: 'and', left, right: negation(t) };
  return left;
}
function negation(t: TokenStream): Expression {
  const at = t.place;
  let count = 0;
  while (t.takeName('not')) count++;
  const value = comparison(t);
  if (count === 0) return value;
  const not: Expression = { ...at, is: 'unary', op: 'not', of: value };
  return count % 2 === 1 ? not : { ...at, is: 'unary', op: 'not', of: not };
}
function comparison(t: TokenStream): Expression {
  const at = t.place;
  const first = binary(t, 0);
  const rest: [string, Expression][] = [];
  for (let op = comparator(t); op; op = comparator(t)) rest.push([op, binary(t, 0)]);
  return rest.length === 0 ? first : { ...at, is: 'compare', first, rest };
}
function comparator(t: TokenStream): string | undefined {
  const op = ['<=', '>=', '==', '!=', '<>', '<', '>'].find((o) => t.take(o));
  if (op) return op === '<>' ? '!=' : op;
  if (t.takeName('in')) return 'in';
  if (t.takeName('is')) return t.takeName('not') ? 'is not' : 'is';
  if (t.peek.text === 'not' && t.after?.text === 'in') {
    t.next();
    t.next();
    return 'not in';
  }
  return undefined;
}
/** Left to right, from the loosest. */
const levels = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];
function binary(t: TokenStream, level: number): Expression {
  const ops = levels[level];
  if (!ops) return unary(t);
  const at = t.place;
  let left = binary(t, level + 1);
  for (let op = ops.find((o) => t.take(o)); op; op = ops.find((o) => t.take(o))) {
    left = { ...at, is: 'binary', op, left, right: binary(t, level + 1) };
  }
  return left;
}
function unary(t: TokenStream): Expression {
  const at = t.place;
  const signs: string[] = [];
  for (let op = ['-', '+', '~'].find((o) => t.take(o)); op; op = ['-', '+', '~'].find((o) => t.take(o))) {
    signs.push(op);
    if (signs.length > deepest) throw t.mistake('there are too many signs');
  }
  let value = power(t);
  for (const op of signs.reverse()) value = { ...at, is: 'unary', op, of: value };
  return value;
}
function power(t: TokenStream): Expression {
  const at = t.place;
  const base = postfix(t);
  if (!t.take('**')) return base;
  if (++t.depth > deepest) throw t.mistake('this expression is nested too deeply');
  const right = unary(t);
  t.depth--;
  return { ...at, is: 'binary', op: '**', left: base, right };
}
function postfix(t: TokenStream): Expression {
  let value = atom(t);
  for (;;) {
    const at = t.place;
    if (t.take('.')) value = { ...at, is: 'attribute', of: value, name: t.name() };
    else if (t.take('(')) value = call(t, value, at);
    else if (t.take('[')) value = subscript(t, value, at);
    else return value;
  }
}
function call(t: TokenStream, callee: Expression, at: Place): Expression {
  const args: Expression[] = [];
  const named: [string, Expression][] = [];
  while (t.peek.text !== ')') {
    if (t.peek.kind === 'name' && t.after?.kind === 'op' && t.after.text === '=') {
      const name = t.name();
      t.next();
      named.push([name, parseExpression(t)]);
    } else args.push(parseExpression(t));
    if (!t.take(',')) break;
  }
  t.expect(')');
  return { ...at, is: 'call', callee, args, named };
}
function subscript(t: TokenStream, of: Expression, at: Place): Expression {
  const from = t.peek.text === ':' ? undefined : parseExpressions(t);
  if (from && t.take(']')) return { ...at, is: 'index', of, at: from };
  t.expect(':');
  const to = t.peek.text === ']' ? undefined : parseExpression(t);
  t.expect(']');
  return { ...at, is: 'slice', of, from, to };
}
const constants: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null };

function atom(t: TokenStream): Expression {
  const at = t.place;
  const { kind, text } = t.peek;
  if (kind === 'string') {
    let value = '';
    while (t.peek.kind === 'string') value += t.next().text;
    return { ...at, is: 'constant', value };
  }
  if (kind === 'number') {
    t.next();
    return { ...at, is: 'constant', value: number(text) };
  }
  if (kind === 'name' && !keywords.has(text)) {
    t.next();
    return Object.hasOwn(constants, text)
      ? { ...at, is: 'constant', value: constants[text] ?? null }
      : { ...at, is: 'name', name: text };
  }
  if (t.take('(')) return bracket(t, at);
  if (t.take('[')) return list(t, at);
  if (t.take('{')) return dict(t, at);
  throw t.mistake(`a value is expected, not ${t.shown}`);
}
function number(text: string): number {
  const digits = text.replace(/[lL]$/, '');
  return /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
}
function bracket(t: TokenStream, at: Place): Expression {
  if (t.take(')')) return { ...at, is: 'tuple', items: [] };
  const value = parseExpressions(t);
  t.expect(')');
  return value;
}
function list(t: TokenStream, at: Place): Expression {
  if (t.take(']')) return { ...at, is: 'list', items: [] };
  const first = parseExpression(t);
  if (t.takeName('for')) {
    const target = parseTarget(t);
    if (!t.takeName('in')) throw t.mistake(`"in" is expected, not ${t.shown}`);
    const of = either(t);
    const when = t.takeName('if') ? either(t) : undefined;
    t.expect(']');
    return { ...at, is: 'each', item: first, target, of, ...(when ? { when } : {}) };
  }
  const items = [first];
  while (t.take(',')) if (begins(t)) items.push(parseExpression(t));
  t.expect(']');
  return { ...at, is: 'list', items };
}
function dict(t: TokenStream, at: Place): Expression {
  const items: [Expression, Expression][] = [];
  while (t.peek.text !== '}') {
    const key = parseExpression(t);
    t.expect(':');
    items.push([key, parseExpression(t)]);
    if (!t.take(',')) break;
  }
  t.expect('}');
  return { ...at, is: 'dict', items };
}
