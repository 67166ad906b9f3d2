/** One entry of `disk = [ … ]`: the positional form of xl, its named parameters, and the older `phy:PATH,hda,w`. */
import { type DeviceNumber, parseDeviceNumber } from './xl-device-number.ts';
import { type Element, elementAt, type Refuse } from './xl-elements.ts';

export const xlFormats = ['raw', 'qcow', 'qcow2', 'vhd', 'qed'] as const;
export interface XlDisk {
  /** Absolute; '' for an empty drive; `SR/VDI` with `repository`. */
  readonly target: string;
  /** `sm:SR/VDI`: a disk of a storage repository. */
  readonly repository: boolean;
  readonly format: (typeof xlFormats)[number];
  /** As written, without `:cdrom`. */
  readonly vdev: string;
  readonly number: DeviceNumber;
  readonly readOnly: boolean;
  readonly type: 'disk' | 'cdrom' | 'floppy';
  /** Named parameters and flags that the fields above do not say, as written: `script`, `backend`, `discard` … */
  readonly others: ReadonlyMap<string, Element>;
}

const named = ['target', 'format', 'vdev', 'access', 'devtype'] as const;
const others = [
  ...['backend', 'backendtype', 'script', 'specification', 'grant_usage', 'colo-host', 'colo-port', 'colo-export'],
  ...['active-disk', 'hidden-disk'],
];
const flags = ['cdrom', 'direct-io-safe', 'discard', 'no-discard', 'trusted', 'untrusted', 'colo'];
const accesses: Readonly<Record<string, 'r' | 'w'>> = { r: 'r', ro: 'r', w: 'w', rw: 'w', '': 'w' };
const scripts = /^(iscsi|nbd|enbd|drbd):/;
const ignored = /^(tapdisk|tap|tap2|aio|ioemu|file|phy|qdisk):/;
const unknownPrefix = /^([a-z][a-z0-9]*):(?=(?:[a-z0-9]+:)*\/)/;

type Draft = Partial<Record<(typeof named)[number], Element>> & {
  old?: boolean;
  script?: string;
  repository?: boolean;
};

/** `refuse` raises an error at a place in `text`. */
export function parseXlDisk(text: string, refuse: Refuse): XlDisk {
  const draft: Draft = {};
  const rest = new Map<string, Element>();
  for (let from = 0; from <= text.length; ) {
    const comma = text.indexOf(',', from);
    const end = comma < 0 ? text.length : comma;
    let element = elementAt(text, from, end);
    from = end + 1;
    if (element.key === 'target') {
      // A path may have commas: it is all that follows.
      element = { ...element, value: text.slice(element.valueIndex) };
      from = text.length + 1;
    }
    take(element, draft, rest, refuse);
  }
  return finish(text, draft, rest, refuse);
}

function take(element: Element, draft: Draft, rest: Map<string, Element>, refuse: Refuse): void {
  const { key, value, index } = element;
  if (key !== '') {
    const main = named.find((n) => n === key);
    if (main) {
      if (draft[main]) throw refuse(index, `${key} is there twice`);
      draft[main] = element;
    } else if (others.includes(key)) {
      if (rest.has(key)) throw refuse(index, `${key} is there twice`);
      rest.set(key, element);
    } else throw refuse(index, `there is no parameter "${key}"; there are ${[...named, ...others].join(', ')}`);
  } else if (flags.includes(value)) {
    if (value === 'cdrom') draft.devtype ??= { ...element, key: 'devtype' };
    else rest.set(value, element);
  } else positional(element, draft, refuse);
}

function positional(element: Element, draft: Draft, refuse: Refuse): void {
  const { value, index } = element;
  if (!draft.target) draft.target = prefixed(element, draft, refuse);
  else if (!draft.format && !draft.old && isFormat(value)) draft.format = element;
  else if (!draft.vdev) {
    // The older form has no format between the path and the drive.
    draft.vdev = element;
  } else if (!draft.access) draft.access = element;
  else throw refuse(index, `"${value}" is one too many: PATH,FORMAT,VDEV,ACCESS are all there`);
}
const isFormat = (value: string) => value === '' || (xlFormats as readonly string[]).includes(value);

/** Takes the deprecated prefixes off a path. */
function prefixed(element: Element, draft: Draft, refuse: Refuse): Element {
  let { value, valueIndex } = element;
  if (value.startsWith('sm:')) {
    draft.old = draft.repository = true;
    return { ...element, value: value.slice(3), valueIndex: valueIndex + 3 };
  }
  // `phy:loop0` of xm: a device below /dev.
  if (/^phy:[^/]/.test(value)) value = `phy:/dev/${value.slice(4)}`;
  for (;;) {
    const format = /^(raw|qcow2?|vhd|qed):/.exec(value);
    const found = format ?? scripts.exec(value) ?? ignored.exec(value) ?? unknownPrefix.exec(value);
    if (!found) return { ...element, value, valueIndex };
    const [prefix, name = ''] = found;
    if (format) draft.format = { ...element, key: 'format', value: name };
    else if (scripts.test(value)) draft.script = `block-${name}`;
    else if (!ignored.test(value)) throw refuse(valueIndex, `"${prefix}" is no known kind of disk`);
    draft.old = true;
    value = value.slice(prefix.length);
    valueIndex += prefix.length;
  }
}

function finish(text: string, draft: Draft, rest: Map<string, Element>, refuse: Refuse): XlDisk {
  const { vdev, access, format } = draft;
  if (!vdev || vdev.value === '') throw refuse(text.length, 'the drive is missing: xvda, hdc, sdb …');
  const [, name = '', suffix] = /^(.*?)(?::(cdrom|disk|floppy))?$/s.exec(vdev.value) ?? [];
  const number = parseDeviceNumber(name);
  if (!number) throw refuse(vdev.valueIndex, `"${name}" is no drive: xvda, hdc, sdb, fda, d0p1 or a number`);
  const type = typeOf(draft, suffix, number, refuse);
  const mode = accesses[access?.value ?? ''];
  if (access && access.value !== '' && (mode === undefined || access.value.includes('!')))
    throw refuse(access.valueIndex, `"${access.value}" is no access: r, ro, w, rw`);
  const target = draft.target?.value ?? '';
  if (target === '' && type === 'disk') throw refuse(draft.target?.valueIndex ?? 0, 'only a CD drive may be empty');
  if (draft.repository && !/^[^/]+\/[^/]+$/.test(target))
    throw refuse(draft.target?.valueIndex ?? 0, `"${target}" is not SR/VDI`);
  if (format && format.value !== '' && !isFormat(format.value))
    throw refuse(format.valueIndex, `"${format.value}" is no format: ${xlFormats.join(', ')}`);
  if (draft.script !== undefined && !rest.has('script'))
    rest.set('script', { key: 'script', value: draft.script, index: 0, valueIndex: 0 });
  return {
    target: target === '' || draft.repository || target.startsWith('/') ? target : `/dev/${target}`,
    repository: draft.repository === true,
    format: (format?.value || 'raw') as XlDisk['format'],
    vdev: name,
    number,
    readOnly: type === 'cdrom' || mode === 'r',
    type,
    others: rest,
  };
}
function typeOf(draft: Draft, suffix: string | undefined, number: DeviceNumber, refuse: Refuse): XlDisk['type'] {
  const { devtype } = draft;
  if (devtype && devtype.value !== 'cdrom' && devtype.value !== 'disk')
    throw refuse(devtype.valueIndex, `"${devtype.value}" is no type of device: cdrom, disk`);
  if (suffix === 'cdrom' || devtype?.value === 'cdrom') return 'cdrom';
  return suffix === 'floppy' || number.bus === 'fd' ? 'floppy' : 'disk';
}
