/** Every key of xenvm's configuration: its type, its default, and whether `get` and `set` know it while the VM is there. */

export type XenvmType = 'bool' | 'int' | 'string' | 'list';
export interface XenvmKey {
  readonly type: XenvmType;
  /** As text; undefined: none. */
  readonly otherwise: string | undefined;
  /** In the file only. */
  readonly fileOnly?: boolean;
}
const none = undefined;
const strings: Readonly<Record<string, string | undefined>> = {
  ...{ name: none, notify: none, kernel: '', cmdline: '', initrd: none, 'flask-label': none, boot: 'cd' },
  ...{ 'smbios-oem-types-pt': '', 'time-offset': none, 'pci-script': none, serial: '', sound: none, 'cdrom-pt': none },
  ...{ 'qemu-dm-path': '', stubdom: none, 'stubdom-kernel': '/usr/lib/xen/boot/stubdomain-bzImage', display: 'vnc' },
  ...{ 'stubdom-initrd': '/usr/lib/xen/boot/stubdomain-initramfs' },
  ...{ 'stubdom-cmdline': 'init=/init xen_blkfront.max=8' },
  ...{ on_halt: 'destroy', on_restart: 'restart', on_crash: 'destroy' },
};
const integers: Readonly<Record<string, string | undefined>> = {
  ...{ memory: none, 'memory-max': none, vcpus: '1', 'cores-per-socket': none, videoram: none, 'extra-maxmem': '0' },
  ...{ 'timer-mode': none, hpet: none, 'vpt-align': none, 'power-management': '0', 'oem-features': '0' },
  ...{ 'inject-sci': '0', 'pci-msitranslate': '1', 'pci-power-management': '1', 'qemu-dm-timeout': '30' },
  ...{ 'stubdom-memory': '64', 'vtpm-backend': '0', 'vtpm-instance': none },
};
const booleans: Readonly<Record<string, string>> = {
  ...{ hvm: 'false', hap: 'true', 'xci-service': 'false', 'disable-migrate': 'false', 'xci-cpuid-signature': 'false' },
  ...{ pae: 'false', apic: 'false', acpi: 'false', nx: 'false', viridian: 'false', nested: 'false' },
  ...{ 'smbios-pt': 'false', 'acpi-pt': 'false', 'diskinfo-pt': 'false', usb: 'true', 'qemu-pv': 'true' },
  ...{ vsnd: 'false', vkbd: 'false', vfb: 'false', v4v: 'false' },
};
const lists = [
  ...['extra-local-watch', 'extra-vm-watch', 'cpus-affinity', 'cpuid', 'platform', 'bios-string', 'extra-hvm'],
  ...['passthrough-io', 'passthrough-mmio', 'disk', 'nic', 'pci'],
] as const;
export type XenvmList = (typeof lists)[number];
const fileOnly: Readonly<Record<string, XenvmKey>> = {
  uuid: { type: 'string', otherwise: none, fileOnly: true },
  startup: { type: 'string', otherwise: none, fileOnly: true },
  output: { type: 'string', otherwise: '', fileOnly: true },
  debug: { type: 'bool', otherwise: 'false', fileOnly: true },
  no_mem_check: { type: 'bool', otherwise: 'false', fileOnly: true },
};
/** Other names of keys: the page of OpenXT and its programs differ in some. */
const aliases: Readonly<Record<string, string>> = {
  on_reboot: 'on_restart',
  'smbios-oem-type-pt': 'smbios-oem-types-pt',
  timeoffset: 'time-offset',
  vif: 'nic',
};
const typed = (type: XenvmType, of: Readonly<Record<string, string | undefined>>) =>
  Object.entries(of).map(([key, otherwise]) => [key, { type, otherwise }] as const);

export const xenvmKeys: ReadonlyMap<string, XenvmKey> = new Map<string, XenvmKey>([
  ...typed('string', strings),
  ...typed('int', integers),
  ...typed('bool', booleans),
  ...lists.map((key) => [key, { type: 'list', otherwise: none, fileOnly: true }] as const),
  ...Object.entries(fileOnly),
]);
/** The name that a key goes by; itself when it has no other. */
export const canonical = (key: string): string => (Object.hasOwn(aliases, key) ? (aliases[key] ?? key) : key);
