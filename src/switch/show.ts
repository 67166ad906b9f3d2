/** What the switch tells about itself, as text for people. */
import type { WireId, WireMessage } from '../wire/switch.ts';

export interface WireTraceEvent {
  /** Nanoseconds since the epoch. */
  readonly time: number;
  readonly input?: string;
  readonly queue: string;
  readonly output?: string;
  readonly message: readonly ['Message', WireId, WireMessage] | readonly ['Ack', WireId];
  readonly processing_time?: number;
}
interface WireQueue {
  readonly next_transfer_expected?: number;
  readonly queue_contents: readonly (readonly [
    WireId,
    { readonly origin: readonly [string, string]; readonly time: number; readonly message: WireMessage },
  ])[];
}
export interface WireDiagnostics {
  readonly start_time: number;
  readonly current_time: number;
  readonly permanent_queues: Readonly<Record<string, WireQueue>>;
  readonly transient_queues: Readonly<Record<string, WireQueue>>;
}
const seconds = (ns: number): string => `${(ns / 1e9).toFixed(1)} s`;
const at = (ns: number): string => new Date(ns / 1e6).toISOString();
/** One line, whatever is in it. */
const short = (text: string, length = 60): string => {
  const line = JSON.stringify(text).slice(1, -1);
  return line.length > length ? `${line.slice(0, length)}…` : line;
};
const kindText = ({ kind }: WireMessage): string =>
  kind[0] === 'Request' ? `request, answer to ${kind[1]}` : `answer to ${kind[1][0]}/${kind[1][1]}`;

export function diagnosticsText(d: WireDiagnostics): string {
  const lines = [`up for ${seconds(d.current_time - d.start_time)}`];
  for (const [title, queues] of [
    ['persistent queues', d.permanent_queues],
    ['transient queues', d.transient_queues],
  ] as const) {
    const all = Object.entries(queues).sort(([a], [b]) => (a < b ? -1 : 1));
    lines.push('', `${title}: ${all.length === 0 ? 'none' : ''}`.trimEnd());
    for (const [name, queue] of all) {
      const heard = queue.next_transfer_expected === undefined ? 'nobody listens' : 'somebody listens';
      lines.push(`  ${name}: ${queue.queue_contents.length} messages, ${heard}`);
      for (const [[, n], { origin, time, message }] of queue.queue_contents) {
        const age = seconds(d.current_time - time);
        lines.push(`    ${n}: ${kindText(message)}, from ${origin[1]}, ${age} old: ${short(message.payload)}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
export function eventText(e: WireTraceEvent): string {
  const way = `${e.input ?? '?'} → ${e.queue} → ${e.output ?? '?'}`;
  if (e.message[0] === 'Ack') {
    const took = e.processing_time === undefined ? '' : ` after ${seconds(e.processing_time)}`;
    return `${at(e.time)} ${way}: ${e.message[1][1]} acknowledged${took}`;
  }
  const [, [, n], message] = e.message;
  return `${at(e.time)} ${way}: ${n}, ${kindText(message)}: ${short(message.payload)}`;
}
/** In the language of `mscgen`. */
export function chartOf(events: readonly WireTraceEvent[]): string {
  const sent = events.filter((e) => e.message[0] === 'Message');
  const quoted = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`;
  const names = new Set(sent.flatMap((e) => [e.input ?? '?', e.queue]));
  const arrows = sent.map((e) => {
    const payload = e.message[0] === 'Message' ? short(e.message[2].payload, 40) : '';
    return `${quoted(e.input ?? '?')}=>${quoted(e.queue)} [ label = ${quoted(payload)} ] ;`;
  });
  return `msc {\n  ${[...names].map(quoted).join(',')};\n  ${arrows.join('\n  ')}\n}\n`;
}
