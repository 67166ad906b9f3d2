/** Small XML documents as trees, names without their prefixes. Types of documents are refused, sizes and depth are bounded. */
import { SaxesParser } from 'saxes';
import { FormatError } from './format-error.ts';

export interface Element {
  /** Without prefix. */
  readonly name: string;
  /** The namespace that the name is in; empty for none. */
  readonly space: string;
  /** By their names without prefix. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  /** All text within, that of children left out. */
  readonly text: string;
  /** Where its tag begins; lines and columns count from 1. */
  readonly line: number;
  readonly column: number;
}
const deepest = 64;
const most = 200_000;

interface Growing extends Element {
  readonly children: Element[];
  text: string;
}
/**
 * Throws FormatError for what is no well-formed document. `doctype`: it may name a type of document, which is not read; one that
 * declares anything itself is refused.
 */
export function parseXmlTree(text: string, options: { readonly doctype?: boolean } = {}): Element {
  const parser = new SaxesParser({ xmlns: true });
  const open: Growing[] = [];
  let root: Element | undefined;
  let count = 0;
  const refuse = (why: string): never => {
    throw new FormatError(`it is no XML that is read here: ${why}`);
  };
  parser.on('error', (error) => refuse(error.message));
  parser.on('doctype', (type) => {
    if (!options.doctype || type.includes('[')) refuse('it declares a type of document');
  });
  let [line, column] = [1, 1];
  // The name has been read by now, and the character after it.
  parser.on('opentagstart', (tag) => {
    line = parser.line;
    column = Math.max(1, parser.column - tag.name.length - 1);
  });
  parser.on('opentag', (tag) => {
    if (open.length >= deepest || ++count > most) refuse('it is too deep or too large');
    const attributes = new Map(Object.values(tag.attributes).map((a) => [a.local, a.value]));
    open.push({ name: tag.local, space: tag.uri, attributes, children: [], text: '', line, column });
  });
  const add = (piece: string) => {
    const inner = open.at(-1);
    if (inner) inner.text += piece;
  };
  parser.on('text', add);
  parser.on('cdata', add);
  parser.on('closetag', () => {
    const done = open.pop() as Growing;
    const outer = open.at(-1);
    if (outer) outer.children.push(done);
    else root = done;
  });
  parser.write(text).close();
  return root ?? refuse('it is empty');
}
export const childrenOf = (e: Element | undefined, name: string): readonly Element[] =>
  e?.children.filter((c) => c.name === name) ?? [];
export const childOf = (e: Element | undefined, name: string): Element | undefined =>
  e?.children.find((c) => c.name === name);
/** The text of a child, without blanks around it. */
export const textOf = (e: Element | undefined, name: string): string | undefined => childOf(e, name)?.text.trim();
