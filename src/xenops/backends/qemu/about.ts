/** What the sender of a guest says of its machine: text from another host, checked before any of it becomes QEMU's options. */
import { biosStringProblem } from '../../../contracts/guest.ts';
import { type Schema, s } from '../../../contracts/schema.ts';
import type { DomainRecord } from './record.ts';

const fits = (expected: string, pattern: RegExp): Schema<string> => ({
  check(value, path) {
    const text = s.string.check(value, path);
    if (!pattern.test(text)) throw new Error(`${path}: ${JSON.stringify(text.slice(0, 60))} is not ${expected}`);
    return text;
  },
});
const within = (least: number, most: number): Schema<number> => ({
  check(value, path) {
    const n = s.int.check(value, path);
    if (n < least || n > most) throw new Error(`${path}: ${n} is not from ${least} to ${most}`);
    return n;
  },
});
const name = fits('a name of a device', /^[a-z]{1,8}\d{1,4}$/);
const uuid = fits('a UUID', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);
const place = within(-1, 255);
const machine = {
  type: s.oneOf('pc', 'q35', 'microvm'),
  version: fits('a version of QEMU', /^\d{1,3}\.\d{1,3}$/),
  accelerator: s.oneOf('kvm', 'tcg'),
  vga: s.oneOf('std', 'virtio', 'cirrus', 'none'),
  diskBus: s.oneOf('virtio', 'ide'),
  nicModel: s.oneOf('virtio', 'e1000', 'rtl8139'),
  diskQueues: within(1, 64),
  agent: s.optional(s.boolean),
};
const biosStrings: Schema<unknown> = {
  check(value, path) {
    for (const [key, text] of Object.entries(s.optional(s.record(s.string)).check(value, path) ?? {})) {
      const problem = biosStringProblem(key, text);
      if (problem !== undefined) throw new Error(`${path}.${key}: ${problem}`);
    }
    return value;
  },
};
const device = { device: name, slot: place };
const spec = { id: s.string, position: s.size };
const most = 256;

type Loose = Readonly<Record<string, unknown>>;
type Shapes = Readonly<Record<string, Schema<unknown>>>;
function members(value: unknown, path: string, shapes: Shapes): Loose {
  const given = (typeof value === 'object' && value !== null ? value : {}) as Loose;
  for (const [key, shape] of Object.entries(shapes)) shape.check(given[key], `${path}.${key}`);
  return given;
}
/** An Error that names what is wrong. */
export function checkedAbout(text: string): DomainRecord {
  const read = members(JSON.parse(text), 'guest', {
    vcpus: within(1, 1024),
    memoryTarget: s.size,
    startedAt: s.number,
    frozen: s.optional(s.boolean),
    vcpusPlugged: s.optional(within(1, 1024)),
  });
  if (read['guest'] !== undefined) uuid.check(read['guest'], 'guest.guest');
  if (read['version'] !== 1) throw new Error('it is of another version');
  members(read['machine'], 'machine', machine);
  for (const list of ['drives', 'nics'] as const) {
    const devices = read[list];
    if (!Array.isArray(devices) || devices.length > most)
      throw new Error(`${list}: a list of at most ${most} is expected`);
    devices.forEach((one, i) => {
      const more: Shapes = list === 'drives' ? { connector: place, block: s.boolean } : {};
      members(members(one, `${list}[${i}]`, { ...device, ...more })['spec'], `${list}[${i}].spec`, spec);
    });
  }
  const { memory, vcpus } = members(read['spec'], 'spec', { id: s.string, tpm: s.optional(s.boolean), biosStrings });
  members(memory, 'memory', { staticMax: s.size, dynamicMax: s.size, dynamicMin: s.size });
  members(vcpus, 'vcpus', { max: within(1, 1024), current: within(1, 1024) });
  return read as unknown as DomainRecord;
}
