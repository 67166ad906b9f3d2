/**
 * Carries out a settings file. It can do no harm: it reaches only the modules that it is handed, and its steps, its depth and the
 * size of what it holds are limited.
 */
import { builtins, catches, getAttribute } from './builtins.ts';
import { binary, getIndex, holds, removeIndex, setIndex, slice, unary } from './operators.ts';
import type { Block, Expression, Parameter, Place, Statement } from './syntax.ts';
import { SettingsError } from './tokens.ts';
import {
  Defined,
  Dict,
  itemsOf,
  type Module,
  Native,
  Raised,
  Stream,
  str,
  Thrown,
  Tuple,
  truth,
  typeName,
  type Value,
} from './values.ts';

export interface RunOptions {
  /** Names that are there from the beginning: variables that were defined on the command line. */
  readonly variables: Readonly<Record<string, Value>>;
  /** What may be imported; all are there without an import too. */
  readonly modules: readonly Module[];
  readonly out: (text: string) => void;
}
const limits = { steps: 1_000_000, depth: 60 };

type Names = Map<string, Value>;
interface Scope {
  readonly own: Names;
  /** Names that a function has declared global. */
  readonly global: Set<string>;
}
type Flow = { readonly is: 'return'; readonly value: Value } | { readonly is: 'break' | 'continue' } | undefined;

export class Interpreter {
  readonly names: Names;
  readonly #builtins = builtins();
  readonly #o: RunOptions;
  readonly #top: Scope;
  #steps = 0;
  #depth = 0;
  /** What `raise` alone raises again. */
  #caught: Raised | undefined;

  constructor(options: RunOptions) {
    this.#o = options;
    const modules = options.modules.map((m): [string, Value] => [m.name, m]);
    this.names = new Map([...modules, ...Object.entries(options.variables)]);
    this.#top = { own: this.names, global: new Set() };
  }
  /** Runs the whole file. SettingsError where it fails: an exception that nothing in it took, too. */
  run(block: Block): void {
    const flow = this.#block(block, this.#top);
    if (flow)
      throw new SettingsError(
        { line: 1, column: 1 },
        `"${flow.is}" stands outside of ${flow.is === 'return' ? 'a function' : 'a loop'}`,
      );
  }
  /** Calls a function of the file. */
  call(f: Value, args: readonly Value[], named: Readonly<Record<string, Value>> = {}): Value {
    if (f instanceof Native) return f.run({ all: args, named, call: (g, a) => this.call(g, a) });
    if (!(f instanceof Defined)) throw new Raised('TypeError', `${typeName(f)} cannot be called`);
    if (++this.#depth > limits.depth) throw new Raised('RuntimeError', 'functions call each other too deeply');
    const scope: Scope = { own: this.#bind(f, args, named), global: new Set() };
    try {
      if (!Array.isArray(f.body)) return this.#value(f.body as Expression, scope);
      const flow = this.#block(f.body, scope);
      return flow?.is === 'return' ? flow.value : null;
    } finally {
      this.#depth--;
    }
  }
  #bind(f: Defined, args: readonly Value[], named: Readonly<Record<string, Value>>): Names {
    if (args.length > f.parameters.length)
      throw new Raised('TypeError', `${f.name}() takes ${f.parameters.length} arguments (${args.length} given)`);
    const own: Names = new Map();
    f.parameters.forEach(({ name, fallback }: Parameter, i) => {
      const given = i < args.length ? args[i] : Object.hasOwn(named, name) ? named[name] : undefined;
      if (given !== undefined) own.set(name, given);
      else if (fallback) own.set(name, this.#value(fallback, this.#top));
      else throw new Raised('TypeError', `${f.name}() needs ${name}`);
    });
    for (const name of Object.keys(named))
      if (!f.parameters.some((p) => p.name === name)) throw new Raised('TypeError', `${f.name}() has no ${name}`);
    return own;
  }

  #block(block: Block, scope: Scope): Flow {
    for (const statement of block) {
      const flow = this.#placed(statement, () => this.#statement(statement, scope));
      if (flow) return flow;
    }
    return undefined;
  }
  /** An exception is told with the place where it came up first. */
  #placed<T>(at: Place, work: () => T): T {
    if (++this.#steps > limits.steps) throw new SettingsError(at, `this file takes more than ${limits.steps} steps`);
    try {
      return work();
    } catch (error) {
      if (error instanceof Raised && !places.has(error)) places.set(error, at);
      throw error;
    }
  }
  #statement(s: Statement, scope: Scope): Flow {
    switch (s.is) {
      case 'expression':
        this.#value(s.value, scope);
        return undefined;
      case 'assign': {
        const value = this.#value(s.value, scope);
        for (const target of s.targets) this.#assign(target, value, scope);
        return undefined;
      }
      case 'change':
        this.#assign(s.target, binary(s.op, this.#value(s.target, scope), this.#value(s.value, scope)), scope);
        return undefined;
      case 'if': {
        const branch = s.branches.find(({ when }) => !when || truth(this.#value(when, scope)));
        return branch && this.#block(branch.body, scope);
      }
      case 'for':
        return this.#loop(itemsOf(this.#value(s.of, scope)), s, scope);
      case 'while':
        return this.#while(s.when, s.body, scope);
      case 'try':
        return this.#try(s, scope);
      case 'return':
        return { is: 'return', value: s.value ? this.#value(s.value, scope) : null };
      case 'break':
      case 'continue':
        return { is: s.is };
      case 'pass':
        return undefined;
      default:
        this.#simple(s, scope);
        return undefined;
    }
  }
  #simple(s: Statement, scope: Scope): void {
    if (s.is === 'def') this.#set(s.name, new Defined(s.name, s.parameters, s.body), scope);
    else if (s.is === 'print') this.#print(s, scope);
    else if (s.is === 'global') for (const name of s.names) scope.global.add(name);
    else if (s.is === 'del') for (const target of s.targets) this.#remove(target, scope);
    else if (s.is === 'import') this.#import(s, scope);
    else if (s.is === 'raise') this.#raise(s.what, scope);
    else if (s.is === 'assert' && !truth(s.that ? this.#value(s.that, scope) : null)) {
      throw new Raised('AssertionError', s.message ? str(this.#value(s.message, scope)) : '');
    }
  }
  #loop(items: readonly Value[], s: Statement & { is: 'for' }, scope: Scope): Flow {
    for (const item of items) {
      this.#assign(s.target, item, scope);
      const flow = this.#block(s.body, scope);
      if (flow?.is === 'break') return undefined;
      if (flow?.is === 'return') return flow;
    }
    return undefined;
  }
  #while(when: Expression, body: Block, scope: Scope): Flow {
    while (truth(this.#value(when, scope))) {
      const flow = this.#block(body, scope);
      if (flow?.is === 'break') return undefined;
      if (flow?.is === 'return') return flow;
    }
    return undefined;
  }
  #try(s: Statement & { is: 'try' }, scope: Scope): Flow {
    try {
      const flow = this.#block(s.body, scope);
      return flow ?? (s.otherwise && this.#block(s.otherwise, scope));
    } catch (error) {
      if (!(error instanceof Raised)) throw error;
      const handler = s.handlers.find(({ kinds }) => !kinds || catches(this.#value(kinds, scope), error.thrown));
      if (!handler) throw error;
      if (handler.as) this.#set(handler.as, error.thrown, scope);
      const before = this.#caught;
      this.#caught = error;
      const flow = this.#block(handler.body, scope);
      this.#caught = before;
      return flow;
    } finally {
      if (s.last) this.#block(s.last, scope);
    }
  }
  #raise(what: Expression | undefined, scope: Scope): never {
    if (!what) throw this.#caught ?? new Raised('TypeError', 'there is nothing to raise again');
    let value = this.#value(what, scope);
    if (value instanceof Native) value = this.call(value, []);
    if (value instanceof Thrown) throw new Raised(value.kind, value.text);
    throw new Raised('StandardError', str(value));
  }
  #print(s: Statement & { is: 'print' }, scope: Scope): void {
    const to = s.to && this.#value(s.to, scope);
    if (to !== undefined && !(to instanceof Stream))
      throw new Raised('AttributeError', `${typeName(to)} cannot be printed to`);
    const text = s.items.map((i) => str(this.#value(i, scope))).join(' ') + (s.open ? ' ' : '\n');
    (to ? to.write : this.#o.out)(text);
  }
  #import(s: Statement & { is: 'import' }, scope: Scope): void {
    const found = this.#o.modules.find((m) => m.name === s.module.split('.')[0]);
    if (!found) {
      const there = this.#o.modules.map((m) => m.name).join(', ');
      throw new Raised('ImportError', `there is no module ${s.module} here; there are ${there}`);
    }
    if (!s.names) this.#set(s.as, found, scope);
    for (const [name, as] of s.names ?? []) {
      if (name === '*') for (const [n, v] of Object.entries(found.members)) this.#set(n, v, scope);
      else this.#set(as, getAttribute(found, name), scope);
    }
  }

  #set(name: string, value: Value, scope: Scope): void {
    (scope.global.has(name) ? this.names : scope.own).set(name, value);
  }
  #assign(target: Expression, value: Value, scope: Scope): void {
    if (target.is === 'name') this.#set(target.name, value, scope);
    else if (target.is === 'index') setIndex(this.#value(target.of, scope), this.#value(target.at, scope), value);
    else if (target.is === 'list' || target.is === 'tuple') {
      const items = itemsOf(value);
      if (items.length !== target.items.length)
        throw new Raised('ValueError', `${target.items.length} values are expected, not ${items.length}`);
      target.items.forEach((t, i) => {
        this.#assign(t, items[i] as Value, scope);
      });
    } else throw new Raised('TypeError', 'this cannot be assigned');
  }
  #remove(target: Expression, scope: Scope): void {
    if (target.is === 'index') removeIndex(this.#value(target.of, scope), this.#value(target.at, scope));
    else if (target.is !== 'name') throw new Raised('TypeError', 'this cannot be removed');
    else if (!scope.own.delete(target.name)) throw new Raised('NameError', `there is no ${target.name}`);
  }
  #look(name: string, scope: Scope): Value {
    for (const names of [scope.own, this.names, this.#builtins]) {
      const value = names.get(name);
      if (value !== undefined) return value;
    }
    throw new Raised('NameError', `name '${name}' is not defined`);
  }
  #value(e: Expression, scope: Scope): Value {
    return this.#placed(e, () => this.#evaluate(e, scope));
  }
  #evaluate(e: Expression, scope: Scope): Value {
    const v = (of: Expression) => this.#value(of, scope);
    switch (e.is) {
      case 'constant':
        return e.value;
      case 'name':
        return this.#look(e.name, scope);
      case 'list':
        return e.items.map(v);
      case 'tuple':
        return new Tuple(e.items.map(v));
      case 'dict': {
        const dict = new Dict();
        for (const [key, value] of e.items) setIndex(dict, v(key), v(value));
        return dict;
      }
      case 'each':
        return this.#each(e, scope);
      case 'attribute':
        return getAttribute(v(e.of), e.name);
      case 'index':
        return getIndex(v(e.of), v(e.at));
      case 'slice':
        return slice(v(e.of), e.from ? v(e.from) : null, e.to ? v(e.to) : null);
      case 'call':
        return this.call(v(e.callee), e.args.map(v), Object.fromEntries(e.named.map(([n, x]) => [n, v(x)])));
      case 'unary':
        return unary(e.op, v(e.of));
      case 'binary':
        return binary(e.op, v(e.left), v(e.right));
      case 'compare':
        return this.#compare(e, scope);
      case 'and': {
        const left = v(e.left);
        return truth(left) ? v(e.right) : left;
      }
      case 'or': {
        const left = v(e.left);
        return truth(left) ? left : v(e.right);
      }
      case 'choice':
        return truth(v(e.when)) ? v(e.yes) : v(e.no);
      case 'lambda':
        return new Defined('<lambda>', e.parameters, e.value);
    }
  }
  #each(e: Expression & { is: 'each' }, scope: Scope): Value {
    const found: Value[] = [];
    for (const item of itemsOf(this.#value(e.of, scope))) {
      this.#assign(e.target, item, scope);
      if (!e.when || truth(this.#value(e.when, scope))) found.push(this.#value(e.item, scope));
    }
    return found;
  }
  #compare(e: Expression & { is: 'compare' }, scope: Scope): boolean {
    let left = this.#value(e.first, scope);
    for (const [op, right] of e.rest) {
      const value = this.#value(right, scope);
      if (!holds(op, left, value)) return false;
      left = value;
    }
    return true;
  }
}
const places = new WeakMap<Raised, Place>();

/** Where an exception came up that nobody took. */
export function placeOf(error: Raised): Place {
  return places.get(error) ?? { line: 1, column: 1 };
}
