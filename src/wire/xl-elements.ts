/** Strings with elements between commas, as disks, interfaces and other devices are written in xl files. */
import { placeIn, XlError, type XlString } from './xl-syntax.ts';

export interface Element {
  /** '' for one without `=`. */
  readonly key: string;
  readonly value: string;
  /** Where it begins in the string, and where its value does. */
  readonly index: number;
  readonly valueIndex: number;
}
/** Raises an error at a place in the string. */
export type Refuse = (index: number, why: string) => XlError;
export const refuserOf =
  (file: string, key: string, source: XlString): Refuse =>
  (index, why) =>
    new XlError(file, placeIn(source, index), key, why);

/** Splits at commas; blanks before an element and around `=` are not part of it. */
export function elementsOf(text: string): Element[] {
  const elements: Element[] = [];
  for (let from = 0; from <= text.length; ) {
    const comma = text.indexOf(',', from);
    const end = comma < 0 ? text.length : comma;
    elements.push(elementAt(text, from, end));
    from = end + 1;
  }
  return elements;
}
export function elementAt(text: string, from: number, end: number): Element {
  let index = from;
  while (index < end && /[ \t\n\r]/.test(text[index] ?? '')) index++;
  const raw = text.slice(index, end).trimEnd();
  const equals = raw.indexOf('=');
  if (equals < 0) return { key: '', value: raw, index, valueIndex: index };
  const after = raw.slice(equals + 1);
  const valueIndex = index + equals + 1 + (after.length - after.trimStart().length);
  return { key: raw.slice(0, equals).trim(), value: after.trim(), index, valueIndex };
}

/** `key=value,…` where every element has a key that is known and is there once. Empty elements are passed over. */
export function pairsOf(source: XlString, known: readonly string[], refuse: Refuse): Map<string, Element> {
  const pairs = new Map<string, Element>();
  for (const element of elementsOf(source.text)) {
    const { key, value, index } = element;
    if (key === '' && value === '') continue;
    if (!known.includes(key)) {
      const what = key === '' ? `"${value}" has no "="` : `there is no setting "${key}"`;
      throw refuse(index, `${what}; there are ${known.join(', ')}`);
    }
    if (pairs.has(key)) throw refuse(index, `${key} is there twice`);
    pairs.set(key, element);
  }
  return pairs;
}
/** 0 or 1, also as words. */
export function flagOf(element: Element | undefined, otherwise: boolean, refuse: Refuse): boolean {
  if (!element) return otherwise;
  if (/^(1|yes|true|on)$/i.test(element.value)) return true;
  if (/^(0|no|false|off)$/i.test(element.value)) return false;
  throw refuse(element.valueIndex, `${element.key}: "${element.value}" is neither 0 nor 1`);
}
