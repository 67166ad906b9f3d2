/** XML-RPC out, as XenAPI writes it: strings and ints bare inside `value`, results in a struct with `Status`. */
import type { Type } from '../datamodel/dsl.ts';
import { type ClassName, classes } from '../datamodel/index.ts';

type Encode = (value: unknown) => string;

const special = /[&<>"\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]/;
const toEscape = /[&<>"\r]/g;
const dropped = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]/g;
const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // bare, a parser would read it as a line feed
  '\r': '&#13;',
};
/** Text for XML. Characters that XML cannot carry are dropped. */
export function escapeXml(text: string): string {
  if (!special.test(text)) return text;
  return text
    .toWellFormed()
    .replace(dropped, '')
    .replace(toEscape, (c) => escapes[c] as string);
}

/** A float with at most 16 significant digits. */
export function floatText(n: number): string {
  if (Number.isNaN(n)) return 'nan';
  if (!Number.isFinite(n)) return n > 0 ? 'inf' : '-inf';
  if (Number.isInteger(n) && Math.abs(n) < 1e15) return String(n);
  const rounded = Number(n.toPrecision(16));
  // The largest ones would be rounded to infinity.
  return String(Number.isFinite(rounded) ? rounded : n);
}

const bare: Encode = (v) => `<value>${escapeXml(String(v))}</value>`;
const set =
  (of: Encode): Encode =>
  (v) => {
    let out = '<value><array><data>';
    for (const e of v as readonly unknown[]) out += of(e);
    return `${out}</data></array></value>`;
  };
const map =
  (of: Encode): Encode =>
  (v) => {
    let out = '<value><struct>';
    for (const [k, e] of Object.entries(v as object)) out += `<member><name>${escapeXml(k)}</name>${of(e)}</member>`;
    return `${out}</struct></value>`;
  };

const compiled = new WeakMap<Type<unknown>, Encode>();
const made = (type: Type<unknown>): Encode => {
  let encode = compiled.get(type);
  if (!encode) compiled.set(type, (encode = compile(type)));
  return encode;
};
function compile(type: Type<unknown>): Encode {
  switch (type.kind) {
    case 'int':
      return (v) => `<value>${v}</value>`;
    case 'bool':
      return (v) => `<value><boolean>${v ? 1 : 0}</boolean></value>`;
    case 'float':
      return (v) => `<value><double>${floatText(Number(v))}</double></value>`;
    case 'datetime':
      return (v) => `<value><dateTime.iso8601>${escapeXml(String(v))}</dateTime.iso8601></value>`;
    case 'void':
      return () => '<value></value>';
    case 'set':
      return set(made(type.of as Type<unknown>));
    case 'map':
      return map(made(type.of as Type<unknown>));
    case 'option': {
      const of = made(type.of as Type<unknown>);
      return (v) => (v === undefined || v === null ? '<value><nil/></value>' : of(v));
    }
    case 'record':
      return type.cls === '*'
        ? map(loose)
        : (v) => recordText(type.cls as string, v as Readonly<Record<string, unknown>>);
    default:
      return bare;
  }
}
/** A value whose declared type says nothing: by what it is. */
const loose: Encode = (v) => xmlOf(v);
/** A plain value without a declared type: what a client sends. Integers get `i4` when they fit, else `i8`. */
export function xmlOf(v: unknown): string {
  if (v === null || v === undefined) return '<value><nil/></value>';
  if (typeof v === 'string') return `<value><string>${escapeXml(v)}</string></value>`;
  if (typeof v === 'boolean') return `<value><boolean>${v ? 1 : 0}</boolean></value>`;
  if (typeof v === 'number') {
    if (!Number.isSafeInteger(v)) return `<value><double>${floatText(v)}</double></value>`;
    const tag = Math.abs(v) < 2 ** 31 ? 'i4' : 'i8';
    return `<value><${tag}>${v}</${tag}></value>`;
  }
  return Array.isArray(v) ? set(xmlOf)(v) : map(xmlOf)(v);
}

/** One value of a declared type, `<value>…</value>`. */
export const xmlValue = (type: Type<unknown>, value: unknown): string => made(type)(value);

interface Column {
  readonly name: string;
  readonly open: string;
  readonly encode: Encode;
  readonly optional: boolean;
}
const tables = new Map<string, readonly Column[]>();
function columns(cls: string): readonly Column[] {
  let table = tables.get(cls);
  if (!table) {
    const fields = Object.entries(classes[cls]?.fields ?? {}).filter(([, f]) => !f.internal);
    table = fields.map(([name, f]) => ({
      name,
      open: `<member><name>${name}</name>`,
      encode: made(f.type),
      optional: f.type.kind === 'option',
    }));
    tables.set(cls, table);
  }
  return table;
}
function recordText(cls: string, record: Readonly<Record<string, unknown>>): string {
  let out = '<value><struct>';
  for (const c of columns(cls)) {
    const value = record[c.name];
    if (value === undefined || (value === null && c.optional)) continue;
    out += `${c.open}${c.encode(value)}</member>`;
  }
  return `${out}</struct></value>`;
}
/** The public record of a class, `<value><struct>…</struct></value>`. */
export const encodeRecordXml = (cls: ClassName, record: Readonly<Record<string, unknown>>): Buffer =>
  Buffer.from(recordText(cls, record));

const head = '<?xml version="1.0"?><methodResponse><params><param>';
const tail = '</param></params></methodResponse>';
/** What goes before and after the value of a call that went well. */
export const xmlSuccess = {
  before: `${head}<value><struct><member><name>Status</name><value>Success</value></member><member><name>Value</name>`,
  after: `</member></struct></value>${tail}`,
} as const;
/** The same for `system.listMethods`, whose value stands alone. */
export const xmlBare = { before: head, after: tail } as const;
/** The answer of a call that failed; `error` is the code, then its parameters. */
export function xmlFailure(error: readonly string[]): string {
  const description = set(bare)(error);
  return `${head}<value><struct><member><name>Status</name><value>Failure</value></member><member><name>ErrorDescription</name>${description}</member></struct></value>${tail}`;
}
/** A call as a client sends it. */
export function xmlCall(method: string, params: readonly unknown[]): string {
  const list = params.map((p) => `<param>${xmlOf(p)}</param>`).join('');
  return `<?xml version="1.0"?><methodCall><methodName>${escapeXml(method)}</methodName><params>${list}</params></methodCall>`;
}
