/** xl files that xl and our reader both take: every key that changes something here, in the forms that the grammar has. */
import fc from 'fast-check';

/** xl's strings know no escapes that are worth having: what is in them is plain. */
const word = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,9}$/);
const path = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const quoted = (text: string, with_ = "'") => `${with_}${text}${with_}`;
const quote = fc.constantFrom("'", '"');
const text = (arbitrary: fc.Arbitrary<string>) => fc.tuple(arbitrary, quote).map(([t, q]) => quoted(t, q));
const number = (min: number, max: number) =>
  fc
    .tuple(fc.integer({ min, max }), fc.constantFrom('', 'hex', 'quoted'))
    .map(([n, form]) => (form === 'hex' ? `0x${n.toString(16)}` : form === 'quoted' ? quoted(String(n)) : String(n)));
const flag = fc.constantFrom('0', '1');
const lines = (rows: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string[]> =>
  fc
    .record(Object.fromEntries(Object.entries(rows).map(([key, value]) => [key, fc.option(value, { freq: 2 })])))
    .map((found) => Object.entries(found).flatMap(([key, value]) => (value === null ? [] : [`${key} = ${value}`])));
const list = (items: fc.Arbitrary<string>, maxLength: number) =>
  fc.array(items, { maxLength }).map((all) => `[ ${all.map((item) => quoted(item)).join(', ')} ]`);

const action = fc.constantFrom(
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
);
const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 3, maxLength: 3 })
  .map((bytes) => ['00', '16', '3e', ...bytes.map((b) => b.toString(16).padStart(2, '0'))].join(':'));
const rate = fc
  .tuple(fc.integer({ min: 1, max: 900 }), fc.constantFrom('MB', 'KB', 'Mb', 'Kb'), fc.constantFrom('', '@20ms', '@1s'))
  .map(([n, unit, every]) => `${n}${unit}/s${every}`);
const pairs = (rows: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc.record(Object.fromEntries(Object.entries(rows).map(([key, value]) => [key, fc.option(value)]))).map((found) =>
    Object.entries(found)
      .flatMap(([k, v]) => (v === null ? [] : [`${k}=${v}`]))
      .join(','),
  );
const vif = pairs({
  ...{ mac, bridge: word, model: fc.constantFrom('e1000', 'rtl8139'), type: fc.constantFrom('vif', 'ioemu') },
  ...{ mtu: fc.integer({ min: 1280, max: 9000 }), rate, script: fc.constant('vif-route'), ip: fc.constant('10.0.0.1') },
});
const drives = [...'abcdefgh'].flatMap((letter) => [`xvd${letter}`, `sd${letter}`]);
const format = fc.constantFrom('raw', 'qcow2', 'vhd', '');
const access = fc.constantFrom('r', 'ro', 'w', 'rw', '');
const disk = (vdev: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.tuple(path, format, access).map(([p, f, a]) => `${p},${f},${vdev},${a}`),
    fc.tuple(path, format).map(([p, f]) => `${p}, ${f}, ${vdev}`),
    fc
      .tuple(fc.constantFrom('phy:', 'file:', 'tap:aio:', 'tap2:', 'ioemu:', 'qcow2:', 'vhd:', 'nbd:'), path, access)
      .map(([prefix, p, a]) => `${prefix}${p},${vdev},${a}`),
    path.map((p) => `${p},,${vdev},cdrom`),
    path.map((p) => `file:${p},${vdev}:cdrom,r`),
    fc.constant(`,,${vdev},cdrom`),
    fc
      .tuple(path, format, access)
      .map(([p, f, a]) => `format=${f}, vdev=${vdev}, access=${a}, target=${p}, with a comma`),
    path.map((p) => `vdev=${vdev},access=ro,devtype=cdrom,target=${p}`),
  );
const disks = fc.shuffledSubarray(drives, { maxLength: 4 }).chain((chosen) => fc.tuple(...chosen.map(disk)));
const range = fc
  .tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 30 }))
  .map(([a, n]) => `${a}-${a + n}`);
const cpuSet = fc.oneof(
  range,
  fc.integer({ min: 0, max: 63 }).map(String),
  range.map((r) => `${r},^${r.split('-')[0]},62`),
);
const processors = fc
  .record({
    vcpus: fc.integer({ min: 1, max: 8 }),
    more: fc.integer({ min: 0, max: 8 }),
    said: flag,
    sets: fc.array(cpuSet),
  })
  .map(({ vcpus, more, said, sets }) => {
    const max = said === '1' ? [`maxvcpus = ${vcpus + more}`] : [];
    const [first] = sets;
    const [fits] = sets.length <= vcpus ? [sets] : [sets.slice(0, vcpus)];
    const cpus =
      first === undefined ? [] : sets.length === 1 ? [`cpus = "${first}"`] : [`cpus = ["${fits.join('", "')}"]`];
    return [`vcpus = ${vcpus}`, ...max, ...cpus];
  });
const memory = fc
  .record({ memory: fc.integer({ min: 32, max: 4096 }), more: fc.option(fc.integer({ min: 0, max: 4096 })) })
  .map(({ memory: m, more }) => [`memory = ${m}`, ...(more === null ? [] : [`maxmem = ${m + more}`])]);
const common = lines({
  ...{ uuid: text(fc.uuid()), cpu_weight: number(1, 65_535), cap: number(0, 400), pci: list(pci(), 2) },
  ...{ on_poweroff: text(action), on_reboot: text(action), on_crash: text(action), vif: list(vif, 3) },
  ...{ localtime: flag, rtc_timeoffset: number(0, 100_000), acpi: flag },
});
function pci(): fc.Arbitrary<string> {
  return fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 31 }), fc.integer({ min: 0, max: 7 }), flag)
    .map(([bus, device, fn, long]) => {
      const hex = (n: number) => n.toString(16).padStart(2, '0');
      return `${long === '1' ? '0000:' : ''}${hex(bus)}:${hex(device)}.${fn}`;
    });
}
const kernel = fc.oneof(
  fc
    .tuple(
      text(path),
      lines({ ramdisk: text(path), root: text(path), extra: text(fc.constantFrom('ro quiet', 'single')) }),
    )
    .map(([k, more]) => [`kernel = ${k}`, ...more]),
  fc.tuple(text(path), text(word)).map(([k, line]) => [`kernel = ${k}`, `cmdline = ${line}`]),
);
const loader = lines({ bootloader_args: list(word, 2) }).map((more) => ["bootloader = 'pygrub'", ...more]);
const screen = lines({
  ...{
    vnc: flag,
    vnclisten: text(fc.constantFrom('0.0.0.0', '127.0.0.1:3')),
    vncpasswd: text(word),
    keymap: text(word),
  },
});
const machine = lines({
  ...{ boot: text(fc.constantFrom('c', 'd', 'dc', 'cdn', 'n')), bios: text(fc.constantFrom('seabios', 'ovmf')) },
  ...{ pae: flag, apic: flag, nx: flag, hpet: flag, acpi_s3: flag, acpi_s4: flag, nestedhvm: flag, viridian: flag },
  ...{ hap: flag, serial: text(fc.constant('pty')), videoram: number(8, 64) },
  ...{ vga: text(fc.constantFrom('none', 'stdvga', 'cirrus', 'qxl')) },
});
const typed = fc.oneof(
  fc
    .tuple(machine, screen)
    .chain(([m, s]) => fc.constantFrom('type = "hvm"', "builder = 'hvm'").map((t) => [t, ...m, ...s])),
  fc.oneof(kernel, loader).map((k) => ['type = "pv"', ...k]),
  kernel.map((k) => ["builder = 'generic'", ...k]),
  kernel,
  fc
    .tuple(kernel, lines({ pvshim: flag, hap: flag, nestedhvm: fc.constant('0') }))
    .map(([k, more]) => ['type = "pvh"', ...k, ...more]),
);

/** A whole file; the order of its settings means nothing. */
export const xlFile: fc.Arbitrary<string> = fc
  .tuple(text(word), typed, memory, processors, common, disks, fc.constantFrom('\n', ' ; ', ' # why\n', '\n\n'))
  .chain(([name, t, m, p, c, d, between]) => {
    const disk = d.length === 0 ? [] : [`disk = [ ${d.map((each) => quoted(each)).join(',\n')} ]`];
    const all = [`name = ${name}`, ...t, ...m, ...p, ...c, ...disk];
    return fc.shuffledSubarray(all, { minLength: all.length }).map((order) => `${order.join(between)}\n`);
  });
