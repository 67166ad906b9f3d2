/**
 * Settings of xl that this toolstack knows but does not carry out: fine at the value that says "as usual", refused by name
 * at any other, because a guest that was promised them would run without.
 */
import type { XlReader } from './xl-reader.ts';
import type { XlValue } from './xl-syntax.ts';

/** Key → values that change nothing, and why others are refused. An empty list or string never changes anything. */
const usual: Readonly<Record<string, readonly (string | number)[]>> = {
  ...{ pool: ['Pool-0'], seclabel: [], init_seclabel: [], device_tree: [], vnuma: [], cpus_soft: ['all'] },
  ...{ bootloader_restrict: [0], bootloader_user: [], pvshim_path: [], pvshim_cmdline: [], pvshim_extra: [] },
  ...{ max_grant_frames: [], max_maptrack_frames: [], max_grant_version: [], max_event_channels: [1023] },
  ...{ driver_domain: [0], passthrough: ['default', 'disabled'], xend_suspend_evtchn_compat: [0], vmtrace_buf_kb: [0] },
  ...{ vpmu: [0], xenstore_feature_mask: [0xffffffff], xenstore_quota: [], tee: ['none'], gic_version: ['default'] },
  ...{ vuart: [], sve: [], nr_spis: [], trap_unmapped_accesses: [], arm_sci: ['none'], llc_colors: [], mca_caps: [] },
  ...{ msr_relaxed: [0], e820_host: [0], on_watchdog: ['destroy'], on_soft_reset: ['soft-reset'], nomigrate: [0] },
  ...{
    oos: [1],
    bios_path_override: [],
    acpi_laptop_slate: [0],
    altp2m: ['disabled'],
    altp2mhvm: [0],
    altp2m_count: [10],
  },
  ...{ cpuid: [], acpi_firmware: [], smbios_firmware: [], smbios: [], ms_vm_genid: ['none'] },
  ...{ tsc_mode: ['default', 0], timer_mode: ['no_delay_for_missed_ticks', 1], vpt_align: [1], mmio_hole: [] },
  ...{ xen_platform_pci: [1], xen_platform_pci_bar_uc: [1], hvm_pirq: [0, 1], gfx_passthru: [0], rdm: [] },
  ...{ rdm_mem_boundary: [2048], dm_restrict: [0], device_model_user: [], device_model_override: [] },
  ...{
    device_model_version: ['qemu-xen'],
    device_model_stubdomain_override: [0],
    device_model_stubdomain_seclabel: [],
  },
  ...{ stubdomain_kernel: [], stubdomain_cmdline: [], stubdomain_ramdisk: [], stubdomain_memory: [] },
  ...{ device_model_args: [], device_model_args_pv: [], device_model_args_hvm: [], sdl: [0], opengl: [0], spice: [0] },
  ...{ spicehost: [], spiceport: [], spicetls_port: [], spicepasswd: [], spicedisable_ticketing: [0, 1] },
  ...{ spiceagent_mouse: [0, 1], spicevdagent: [0], spice_clipboard_sharing: [0], spiceusbredirection: [0] },
  ...{ spice_image_compression: [], spice_streaming_video: [], soundhw: [], usb: [0, 1], usbversion: [2] },
  ...{ usbdevice: ['tablet', 'mouse'], vkb_device: [1], vtpm: [], p9: [], pvcalls: [], channel: [] },
  ...{
    usbctrl: [],
    usbdev: [],
    vdispl: [],
    vsnd: [],
    vkb: [],
    virtio: [],
    dtdev: [],
    ioports: [],
    iomem: [],
    irqs: [],
  },
  ...{ pci_permissive: [0], pci_seize: [0], hdtype: ['ide'], nographic: [0, 1] },
};
const anyValue = new Set(['shadow_memory', 'serial']);

/** Keys of xm that meant something to xend alone: passed over with a warning. */
const oldKeys = new Set([
  ...[
    'vcpu_avail',
    'cpu',
    'nics',
    'device_model',
    'vncconsole',
    'tpmif',
    'vhpt',
    'features',
    'superpages',
    'serial_port',
  ],
  ...['display', 'xauthority', 'stdvga_ram', 'vncviewer', 'isa', 'monitor', 'guest_os_type', 'xen_extended_power_mgmt'],
]);

/** Answers warnings. Throws for a known setting that would not be carried out, and for one that nobody knows. */
export function checkRest(reader: XlReader): string[] {
  const warnings: string[] = [];
  for (const { key, value, at } of reader.unasked()) {
    if (anyValue.has(key)) continue;
    const fine = Object.hasOwn(usual, key) ? usual[key] : undefined;
    if (fine) {
      if (!unchanging(value, fine)) throw reader.error(key, `${shown(value)} is not supported${hint(fine)}`);
    } else if (oldKeys.has(key)) {
      warnings.push(`${reader.file}:${at.line}:${at.column}: ${key}: only xend knew it; it is not used`);
    } else throw reader.error(key, 'there is no such setting', at);
  }
  return warnings;
}
function unchanging(value: XlValue, fine: readonly (string | number)[]): boolean {
  if (value.kind === 'number') return fine.includes(value.value) || fine.includes(String(value.value));
  if (value.kind === 'string')
    return value.text === '' || fine.includes(value.text) || fine.includes(Number(value.text));
  return value.items.every((item) => unchanging(item, fine));
}
function shown(value: XlValue): string {
  if (value.kind === 'list') return 'this list';
  return value.kind === 'string' ? `"${value.text}"` : String(value.value);
}
const hint = (fine: readonly (string | number)[]): string =>
  fine.length === 0 ? '; leave it out' : `; leave it out, or write ${fine.map((v) => JSON.stringify(v)).join(' or ')}`;
