/**
 * Introspection documents, and OpenXT's interface descriptions, which are such documents with enumerations and documentation
 * (Telepathy's extensions).
 */
import { FormatError } from '../format-error.ts';
import { childrenOf, type Element, parseXmlTree } from '../xml-tree.ts';
import { isInterfaceName, isMemberName } from './names.ts';
import { parseSignature } from './signature.ts';

export interface IdlArgument {
  /** Empty where none is given. */
  readonly name: string;
  readonly type: string;
}
export interface IdlMethod {
  readonly name: string;
  readonly in: readonly IdlArgument[];
  readonly out: readonly IdlArgument[];
  readonly doc: string;
}
export interface IdlSignal {
  readonly name: string;
  readonly args: readonly IdlArgument[];
  readonly doc: string;
}
export interface IdlProperty {
  readonly name: string;
  readonly type: string;
  readonly access: 'read' | 'write' | 'readwrite';
  readonly doc: string;
}
export interface IdlEnum {
  readonly name: string;
  /** A basic type. */
  readonly type: string;
  readonly values: readonly { readonly suffix: string; readonly value: string }[];
  readonly doc: string;
}
export interface IdlInterface {
  readonly name: string;
  readonly methods: readonly IdlMethod[];
  readonly signals: readonly IdlSignal[];
  readonly properties: readonly IdlProperty[];
  readonly doc: string;
}
export interface IdlNode {
  /** Empty where none is given. */
  readonly name: string;
  readonly interfaces: readonly IdlInterface[];
  /** Those directly in the node, then those of its interfaces. */
  readonly enums: readonly IdlEnum[];
  /** Names of the nodes below. */
  readonly children: readonly string[];
}
/** Everything that is wrong with a document, one `FILE:LINE:COLUMN: element: why` a line. */
export class IdlError extends Error {
  override readonly name = 'IdlError';
}
const longest = 4 << 20;

/** Reads a document; `file` is named in mistakes. */
export function parseIntrospection(file: string, text: string): IdlNode {
  if (text.length > longest) throw new IdlError(`${file}:1:1: node: more than ${longest} characters`);
  const reader = new Reader(file);
  const node = reader.node(treeOf(file, text));
  if (reader.mistakes.length > 0) throw new IdlError(reader.mistakes.join('\n'));
  return node;
}
function treeOf(file: string, text: string): Element {
  try {
    return parseXmlTree(text, { doctype: true });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const [, line = '1', column = '1'] = /\b([0-9]+):([0-9]+)/.exec(error.message) ?? [];
    throw new IdlError(`${file}:${line}:${column}: node: ${error.message}`, { cause: error });
  }
}

class Reader {
  readonly mistakes: string[] = [];
  readonly #file: string;
  constructor(file: string) {
    this.#file = file;
  }
  node(e: Element): IdlNode {
    if (e.name !== 'node') this.#wrong(e, 'the outermost element is node');
    const interfaces = childrenOf(e, 'interface');
    return {
      name: e.attributes.get('name') ?? '',
      interfaces: this.#unique(
        interfaces.map((i) => this.#interface(i)),
        interfaces,
      ),
      enums: [e, ...interfaces].flatMap((outer) => childrenOf(outer, 'enum').map((each) => this.#enum(each))),
      children: childrenOf(e, 'node').flatMap((child) => child.attributes.get('name') ?? []),
    };
  }
  #interface(e: Element): IdlInterface {
    const [methods, signals, properties] = ['method', 'signal', 'property'].map((name) => childrenOf(e, name)) as [
      Element[],
      Element[],
      Element[],
    ];
    return {
      name: this.#name(e, isInterfaceName, 'two or more parts of letters, digits and "_" with dots between them'),
      methods: this.#unique(
        methods.map((m) => this.#method(m)),
        methods,
      ),
      signals: this.#unique(
        signals.map((s) => ({ name: this.#member(s), args: this.#args(s, () => true), doc: docOf(s) })),
        signals,
      ),
      properties: this.#unique(
        properties.map((p) => this.#property(p)),
        properties,
      ),
      doc: docOf(e),
    };
  }
  #method(e: Element): IdlMethod {
    const direction = (arg: Element) => arg.attributes.get('direction') ?? 'in';
    for (const arg of childrenOf(e, 'arg'))
      if (!['in', 'out'].includes(direction(arg))) this.#wrong(arg, `direction ${direction(arg)}: it is in or out`);
    return {
      name: this.#member(e),
      in: this.#args(e, (arg) => direction(arg) === 'in'),
      out: this.#args(e, (arg) => direction(arg) === 'out'),
      doc: docOf(e),
    };
  }
  #args(e: Element, which: (arg: Element) => boolean): IdlArgument[] {
    const all = childrenOf(e, 'arg').filter(which);
    return all.map((arg) => ({ name: arg.attributes.get('name') ?? '', type: this.#type(arg) }));
  }
  #property(e: Element): IdlProperty {
    const access = e.attributes.get('access') ?? 'missing';
    const known = (['read', 'write', 'readwrite'] as const).find((each) => each === access);
    if (!known) this.#wrong(e, `access ${access}: it is read, write or readwrite`);
    // Names of properties travel as strings; OpenXT's have dashes.
    const name = this.#name(e, (text) => /^[A-Za-z_][A-Za-z0-9_-]*$/.test(text), 'letters, digits, "_" and "-"');
    return { name, type: this.#type(e), access: known ?? 'read', doc: docOf(e) };
  }
  #enum(e: Element): IdlEnum {
    const type = this.#type(e);
    if (!/^[ybnqiuxtdsog]$/.test(type)) this.#wrong(e, `type ${type}: an enumeration has a basic type`);
    const word = (text: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text);
    const values = childrenOf(e, 'enumvalue').map((each) => {
      const suffix = each.attributes.get('suffix') ?? '';
      const value = each.attributes.get('value');
      if (!word(suffix)) this.#wrong(each, `suffix ${JSON.stringify(suffix)}: letters, digits and "_" are wanted`);
      if (value === undefined) this.#wrong(each, 'its value is missing');
      else if (!/^[sog]$/.test(type) && !/^-?[0-9.]+$/.test(value))
        this.#wrong(each, `value ${value}: a number is wanted`);
      return { suffix, value: value ?? '' };
    });
    return { name: this.#name(e, word, 'letters, digits and "_"'), type, values, doc: docOf(e) };
  }
  #member(e: Element): string {
    return this.#name(e, isMemberName, 'letters, digits and "_"');
  }
  #name(e: Element, fits: (text: string) => boolean, wanted: string): string {
    const name = e.attributes.get('name') ?? '';
    if (!fits(name)) this.#wrong(e, `name ${JSON.stringify(name)}: ${wanted} are wanted`);
    return name;
  }
  #type(e: Element): string {
    const type = e.attributes.get('type') ?? '';
    try {
      if (parseSignature(type).length !== 1) this.#wrong(e, `type ${JSON.stringify(type)}: exactly one type is wanted`);
    } catch (error) {
      this.#wrong(e, `type ${JSON.stringify(type)}: ${(error as Error).message}`);
    }
    return type;
  }
  #unique<T extends { readonly name: string }>(all: readonly T[], elements: readonly Element[]): readonly T[] {
    const seen = new Set<string>();
    for (const [i, { name }] of all.entries()) {
      if (seen.has(name)) this.#wrong(elements[i] as Element, `${name} is there already`);
      seen.add(name);
    }
    return all;
  }
  #wrong(e: Element, why: string): void {
    this.mistakes.push(`${this.#file}:${e.line}:${e.column}: ${e.name}: ${why}`);
  }
}
const docOf = (e: Element): string =>
  childrenOf(e, 'docstring')
    .map((doc) => doc.text.trim().replace(/\s+/g, ' '))
    .join(' ');
