/** Results that are put together from wire text which exists already: records are encoded once per change, not per call. */
import type { Type } from '../datamodel/dsl.ts';
import type { ClassName } from '../datamodel/index.ts';
import type { Db } from '../db/db.ts';
import { jsonValue } from '../wire/jsonrpc.ts';
import { xmlValue } from '../wire/xmlrpc.ts';

export type Codec = 'xml' | 'json';
export type Chunk = Buffer | string;

/** A result with two faces: wire text for clients, a plain value for callers in this process. */
export abstract class Prebuilt {
  abstract plain(): unknown;
  abstract chunks(codec: Codec): Chunk[];
  /** The whole body of an answer; those that are sent to many keep it. */
  body(codec: Codec, before: string, after: string): Chunk[] {
    return [before, ...this.chunks(codec), after];
  }
}

/** The wire text of any result. */
export function encodeResult(codec: Codec, type: Type<unknown>, value: unknown): Chunk[] {
  if (value instanceof Prebuilt) return value.chunks(codec);
  return [codec === 'xml' ? xmlValue(type, value) : jsonValue(type, value)];
}
/** The body of an answer: the result between what its codec puts around it. */
export function encodeBody(codec: Codec, type: Type<unknown>, value: unknown, around: Around): Chunk[] {
  const { before, after } = around;
  if (value instanceof Prebuilt) return value.body(codec, before, after);
  return [before, ...encodeResult(codec, type, value), after];
}
export interface Around {
  readonly before: string;
  readonly after: string;
}
/** The value behind any result. */
export const plainResult = (value: unknown): unknown => (value instanceof Prebuilt ? value.plain() : value);

const text = (db: Db, codec: Codec, cls: ClassName, ref: string): Buffer =>
  codec === 'xml' ? db.xml(cls, ref) : db.json(cls, ref);

/** `get_record`. Throws HANDLE_INVALID when there is no such object. */
export class OneRecord extends Prebuilt {
  readonly #db: Db;
  readonly #cls: ClassName;
  readonly #ref: string;
  constructor(db: Db, cls: ClassName, ref: string) {
    super();
    db.get(cls, ref);
    this.#db = db;
    this.#cls = cls;
    this.#ref = ref;
  }
  plain(): unknown {
    return this.#db.open(this.#cls, this.#ref);
  }
  chunks(codec: Codec): Chunk[] {
    return [text(this.#db, codec, this.#cls, this.#ref)];
  }
}

/** `get_all_records`: a map from reference to record, of these objects as they are when it is encoded. */
export class RecordMap extends Prebuilt {
  readonly #db: Db;
  readonly #cls: ClassName;
  readonly #refs: Iterable<string>;
  constructor(db: Db, cls: ClassName, refs: Iterable<string>) {
    super();
    this.#db = db;
    this.#cls = cls;
    this.#refs = refs;
  }
  plain(): unknown {
    const out: Record<string, unknown> = {};
    for (const ref of this.#refs) out[ref] = this.#db.open(this.#cls, ref);
    return out;
  }
  chunks(codec: Codec): Chunk[] {
    return codec === 'xml' ? this.#xml() : this.#json();
  }
  #xml(): Chunk[] {
    const out: Chunk[] = ['<value><struct>'];
    for (const ref of this.#refs) {
      const open = `<member><name>${ref}</name>`;
      out.push(out.length === 1 ? open : `</member>${open}`, this.#db.xml(this.#cls, ref));
    }
    out.push(out.length === 1 ? '</struct></value>' : '</member></struct></value>');
    return out;
  }
  #json(): Chunk[] {
    const out: Chunk[] = [];
    for (const ref of this.#refs) out.push(`${out.length === 0 ? '{' : ','}"${ref}":`, this.#db.json(this.#cls, ref));
    out.push(out.length === 0 ? '{}' : '}');
    return out;
  }
}
