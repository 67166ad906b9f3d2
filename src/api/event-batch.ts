/** Events as clients get them, made of wire text that exists already; one batch is encoded once for all who wait for it. */
import type { Db, DbEvent } from '../db/db.ts';
import { type Chunk, type Codec, Prebuilt } from './prebuilt.ts';
import { eventClasses } from './subscription.ts';

/** Above so many events the text is not kept in one piece. */
const keepBelow = 1000;

/** Alerts come first and carry no number. */
const inOrder = (events: readonly DbEvent[]): readonly DbEvent[] =>
  events.some((e) => e.cls === 'message')
    ? [...events.filter((e) => e.cls === 'message'), ...events.filter((e) => e.cls !== 'message')]
    : events;
const idOf = (e: DbEvent): string => (e.cls === 'message' ? '0' : String(e.revision));

function eventXml(db: Db, e: DbEvent, timestamp: string, out: Chunk[]): void {
  const member = (name: string, value: string) => `<member><name>${name}</name><value>${value}</value></member>`;
  const fixed =
    member('id', idOf(e)) +
    member('timestamp', timestamp) +
    member('class', e.cls.toLowerCase()) +
    member('operation', e.op) +
    member('ref', e.ref);
  if (e.op === 'del') out.push(`<value><struct>${fixed}</struct></value>`);
  else
    out.push(
      `<value><struct>${fixed}<member><name>snapshot</name>`,
      db.xml(e.cls, e.ref),
      '</member></struct></value>',
    );
}
function eventJson(db: Db, e: DbEvent, timestamp: string, out: Chunk[]): void {
  const fixed = { id: idOf(e), timestamp, class: e.cls.toLowerCase(), operation: e.op, ref: e.ref };
  const text = JSON.stringify(fixed);
  if (e.op === 'del') out.push(text);
  else out.push(`${text.slice(0, -1)},"snapshot":`, db.json(e.cls, e.ref), '}');
}
function plainEvent(db: Db, e: DbEvent, timestamp: string): Record<string, unknown> {
  const fixed = { id: idOf(e), timestamp, class: e.cls.toLowerCase(), operation: e.op, ref: e.ref };
  return e.op === 'del' ? fixed : { ...fixed, snapshot: db.open(e.cls, e.ref) };
}

/** The array that `event.next` answers. */
export class EventList extends Prebuilt {
  protected readonly db: Db;
  protected readonly events: readonly DbEvent[];
  protected readonly timestamp: string;
  /** `timestamp`: seconds since the epoch, or `0.0`. Records are those of the time of encoding. */
  constructor(db: Db, events: readonly DbEvent[], timestamp: string) {
    super();
    this.db = db;
    this.events = inOrder(events);
    this.timestamp = timestamp;
  }
  /** What was deleted since is told by its own event. */
  protected present(): readonly DbEvent[] {
    return this.events.filter((e) => e.op === 'del' || this.db.has(e.cls, e.ref));
  }
  plain(): unknown {
    return this.present().map((e) => plainEvent(this.db, e, this.timestamp));
  }
  chunks(codec: Codec): Chunk[] {
    if (codec === 'xml') {
      const out: Chunk[] = ['<value><array><data>'];
      for (const e of this.present()) eventXml(this.db, e, this.timestamp, out);
      out.push('</data></array></value>');
      return out;
    }
    const out: Chunk[] = ['['];
    for (const e of this.present()) {
      if (out.length > 1) out.push(',');
      eventJson(this.db, e, this.timestamp, out);
    }
    out.push(']');
    return out;
  }
}

/** The struct that `event.from` answers. */
export class EventBatch extends EventList {
  readonly token: string;
  /** The last body that was made: all who wait for this batch are answered within moments. */
  #kept: { readonly before: string; readonly after: string; readonly body: Buffer } | undefined;
  constructor(db: Db, events: readonly DbEvent[], token: string) {
    super(db, events, '0.0');
    this.token = token;
  }
  override plain(): unknown {
    return { events: super.plain(), valid_ref_counts: this.#counts(), token: this.token };
  }
  override chunks(codec: Codec): Chunk[] {
    return codec === 'xml' ? this.#xml() : this.#json();
  }
  override body(codec: Codec, before: string, after: string): Chunk[] {
    const kept = this.#kept;
    if (kept && kept.before === before && kept.after === after) return [kept.body];
    const chunks = super.body(codec, before, after);
    if (this.events.length > keepBelow) return chunks;
    const body = Buffer.concat(chunks.map((c) => (typeof c === 'string' ? Buffer.from(c) : c)));
    this.#kept = { before, after, body };
    return [body];
  }
  #xml(): Chunk[] {
    const counts = Object.entries(this.#counts())
      .map(([cls, n]) => `<member><name>${cls}</name><value><i4>${n}</i4></value></member>`)
      .join('');
    return [
      '<value><struct><member><name>events</name>',
      ...super.chunks('xml'),
      `</member><member><name>valid_ref_counts</name><value><struct>${counts}</struct></value></member>`,
      `<member><name>token</name><value>${this.token}</value></member></struct></value>`,
    ];
  }
  #json(): Chunk[] {
    const counts = JSON.stringify(this.#counts());
    return ['{"events":', ...super.chunks('json'), `,"valid_ref_counts":${counts},"token":"${this.token}"}`];
  }
  #counts(): Record<string, number> {
    return Object.fromEntries(eventClasses.map((cls) => [cls.toLowerCase(), this.db.count(cls)]));
  }
}
