/**
 * What a guest with cloud-init reads at its first boot: user-data, meta-data and network-config, checked, and made into the files of a
 * NoCloud seed (a volume called `cidata`). Source: cloud-init's documentation, "User data formats" and "NoCloud".
 */
import { Document, isMap, isScalar, LineCounter, parseDocument } from 'yaml';

export const parts = ['user-data', 'meta-data', 'network-config'] as const;
export type Part = (typeof parts)[number];
/** The texts as they were given; '' or absent: not given. */
export type CloudInit = Readonly<Partial<Record<Part, string>>>;
export const seedLabel = 'cidata';
/** Bytes of one part. */
export const largestPart = 64 * 1024;

/** A part that cloud-init would not take. `line` and `column` count from 1; 0: the part as a whole. */
export class CloudInitError extends Error {
  override readonly name = 'CloudInitError';
  readonly part: Part;
  readonly line: number;
  readonly column: number;
  readonly reason: string;
  constructor(part: Part, place: { readonly line: number; readonly column: number }, reason: string) {
    super(`${part}${place.line > 0 ? `:${place.line}:${place.column}` : ''}: ${reason}`);
    this.part = part;
    this.line = place.line;
    this.column = place.column;
    this.reason = reason;
  }
}

/** Refuses what cloud-init would ignore or trip over. */
export function checkCloudInit(given: CloudInit): void {
  for (const part of parts) {
    const text = given[part] ?? '';
    if (Buffer.byteLength(text) > largestPart)
      throw new CloudInitError(
        part,
        whole,
        `it has ${Buffer.byteLength(text)} bytes; at most ${largestPart} are possible`,
      );
  }
  checkUserData(given['user-data'] ?? '');
  if (given['meta-data']) mapping('meta-data', given['meta-data']);
  if (given['network-config']) networkOf(given['network-config']);
}
/** Whether a seed is wanted at all. */
export const wantsSeed = (given: CloudInit): boolean => parts.some((part) => (given[part] ?? '') !== '');

/**
 * The files of the seed. Meta-data without an `instance-id` gets `instance`: a VM that is cloned is another instance, and sets itself
 * up anew. `hostname` is proposed when it says nothing of one.
 */
export function seedFiles(
  given: CloudInit,
  about: { readonly instance: string; readonly hostname?: string | undefined },
) {
  const network = given['network-config'] ?? '';
  return {
    'user-data': given['user-data'] || '#cloud-config\n{}\n',
    'meta-data': metaData(given['meta-data'] ?? '', about),
    ...(network === '' ? {} : { 'network-config': networkOf(network) }),
  };
}

const tooDeep = 'it is nested too deep';
const whole = { line: 0, column: 0 };
const first = { line: 1, column: 1 };
/** How user-data begins, other than as YAML. */
const beginnings = [
  ...[
    '#!',
    '#include',
    '#cloud-boothook',
    '#cloud-config-archive',
    '#cloud-config-jsonp',
    '#part-handler',
    '#upstart-job',
  ],
  '## template: jinja',
];

function checkUserData(text: string): void {
  if (text === '') return;
  const line = text.slice(0, text.search(/\r?\n|$/)).trimEnd();
  if (line === '#cloud-config') return void mapping('user-data', text);
  if (beginnings.some((each) => line.startsWith(each)) || /^(content-type|mime-version):/i.test(line)) return;
  throw new CloudInitError(
    'user-data',
    first,
    `it begins with ${JSON.stringify(line.slice(0, 60))}, which cloud-init does not know and would ignore; its first line must be ` +
      `#cloud-config, #!… (a script) or another of ${beginnings.slice(1).join(', ')}, or a MIME header`,
  );
}

function metaData(text: string, about: { readonly instance: string; readonly hostname?: string | undefined }): string {
  const doc = text === '' ? undefined : mapping('meta-data', text);
  const added = [
    doc?.has('instance-id') ? '' : `instance-id: ${JSON.stringify(about.instance)}\n`,
    doc?.has('local-hostname') || doc?.has('hostname') || about.hostname === undefined
      ? ''
      : `local-hostname: ${JSON.stringify(about.hostname)}\n`,
  ].join('');
  if (!doc) return added;
  if (added === '') return text;
  // `{…}` on one line cannot be continued by lines below it.
  if (doc.contents && 'flow' in doc.contents && doc.contents.flow) return `${added}${flowMembers(doc)}`;
  return `${text.replace(/\n*$/, '\n')}${added}`;
}
function flowMembers(doc: ReturnType<typeof mapping>): string {
  if (isMap(doc.contents)) doc.contents.flow = false;
  return doc.toString();
}

/** The configuration as cloud-init wants it: below a key `network` on its own it would be taken by newer versions only. */
function networkOf(text: string): string {
  const part = 'network-config';
  const doc = mapping(part, text);
  const inner: unknown = doc.get('network', true);
  const wrapped = isMap(inner) && !doc.has('version');
  const root: unknown = wrapped ? inner : doc.contents;
  if (!isMap(root)) return text;
  const version = root.get('version', true);
  const known = isScalar(version) && (version.value === 1 || version.value === 2);
  if (!known) {
    const found = isScalar(version) ? JSON.stringify(version.value) : 'missing';
    const place = isScalar(version) && version.range ? doc.placeOf(version.range[0]) : first;
    throw new CloudInitError(part, place, `version: ${found}; it must be 1 or 2`);
  }
  if (!wrapped) return text;
  const alone = new Document(null, { version: '1.1' });
  alone.contents = root as never;
  return String(alone);
}

/** The YAML of a part, which is one mapping. */
function mapping(part: Part, text: string) {
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  // PyYAML, which cloud-init reads it with, knows YAML 1.1.
  const doc = within(part, () => parseDocument(text, { version: '1.1', lineCounter: lines, prettyErrors: false }));
  const error = doc.errors[0];
  if (error) {
    const reason = /call stack/.test(error.message) ? tooDeep : error.message.replace(/\.?$/, '');
    throw new CloudInitError(part, place(error.pos[0]), reason);
  }
  const { contents } = doc;
  const empty = contents === null || (isScalar(contents) && contents.value === null);
  if (!isMap(contents) && !empty)
    throw new CloudInitError(
      part,
      contents?.range ? place(contents.range[0]) : first,
      'it is no mapping of keys to values',
    );
  // Aliases that multiply are refused, as everywhere.
  within(part, () => doc.toJS({ maxAliasCount: 100 }));
  return Object.assign(doc, { placeOf: place });
}
function within<T>(part: Part, f: () => T): T {
  try {
    return f();
  } catch (error) {
    const reason = error instanceof RangeError ? tooDeep : error instanceof Error ? error.message : String(error);
    throw new CloudInitError(part, first, reason);
  }
}
