/** Names that `xe` has for the fields of passed-through devices and streamed disks. */
import { mapRw, type RecordKind, ro, rw, setRo, setRw } from '../record.ts';

export const pgpu: RecordKind = {
  cls: 'PGPU',
  rows: [
    ro('uuid'),
    ro('pci-uuid', 'PCI>uuid'),
    ro('vendor-name', 'PCI>vendor_name'),
    ro('device-name', 'PCI>device_name'),
    ro('dom0-access'),
    ro('is-system-display-device'),
    rw('gpu-group-uuid', 'GPU_group'),
    ro('gpu-group-name-label', 'GPU_group>name_label'),
    ro('host-uuid', 'host'),
    ro('host-name-label', 'host>name_label'),
    ro('pci-id', 'PCI>pci_id'),
    setRo('dependencies', 'PCI>pci_id', { derived: true }),
    mapRw('other-config'),
    ro('supported-VGPU-types'),
    setRw('enabled-VGPU-types', undefined, { settable: true }),
    ro('resident-VGPUs'),
  ],
};

export const gpuGroup: RecordKind = {
  cls: 'GPU_group',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    setRo('VGPU-uuids', 'VGPUs'),
    setRo('PGPU-uuids', 'PGPUs'),
    mapRw('other-config'),
    ro('enabled-VGPU-types', undefined, { call: 'GPU_group.get_enabled_VGPU_types' }),
    ro('supported-VGPU-types', undefined, { call: 'GPU_group.get_supported_VGPU_types' }),
    rw('allocation-algorithm'),
  ],
};

export const vgpu: RecordKind = {
  cls: 'VGPU',
  rows: [
    ro('uuid'),
    ro('vm-uuid', 'VM'),
    ro('vm-name-label', 'VM>name_label'),
    ro('device'),
    ro('gpu-group-uuid', 'GPU_group'),
    ro('gpu-group-name-label', 'GPU_group>name_label'),
    ro('currently-attached'),
    mapRw('other-config'),
    ro('type-uuid', 'type'),
    ro('type-model-name', 'type>model_name'),
    ro('resident-on'),
    ro('compatibility-metadata'),
    rw('extra_args'),
    ro('pci', 'PCI>pci_id'),
  ],
};

export const vgpuType: RecordKind = {
  cls: 'VGPU_type',
  rows: [
    ro('uuid'),
    ro('vendor-name'),
    ro('model-name'),
    ro('framebuffer-size'),
    ro('max-heads'),
    ro('max-resolution', 'max_resolution_x', { derived: true }),
    ro('supported-on-PGPUs'),
    ro('enabled-on-PGPUs'),
    ro('supported-on-GPU-groups'),
    ro('enabled-on-GPU-groups'),
    ro('VGPU-uuids', 'VGPUs'),
    ro('experimental'),
    ro('compatible-types-in-vm'),
  ],
};

export const pvsSite: RecordKind = {
  cls: 'PVS_site',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    rw('pvs-uuid', 'PVS_uuid'),
    setRo('pvs-cache-storage-uuids', 'cache_storage'),
    setRo('pvs-server-uuids', 'servers'),
    setRo('pvs-proxy-uuids', 'proxies'),
  ],
};

export const pvsServer: RecordKind = {
  cls: 'PVS_server',
  rows: [ro('uuid'), setRo('addresses'), ro('first-port'), ro('last-port'), ro('pvs-site-uuid', 'site')],
};

export const pvsProxy: RecordKind = {
  cls: 'PVS_proxy',
  rows: [ro('uuid'), ro('pvs-site-uuid', 'site'), ro('vif-uuid', 'VIF'), ro('currently-attached'), ro('status')],
};

export const pvsCacheStorage: RecordKind = {
  cls: 'PVS_cache_storage',
  rows: [
    ro('uuid'),
    ro('host-uuid', 'host'),
    ro('sr-uuid', 'SR'),
    ro('pvs-site-uuid', 'site'),
    ro('size'),
    ro('vdi-uuid', 'VDI'),
  ],
};

export const pusb: RecordKind = {
  cls: 'PUSB',
  rows: [
    ro('uuid'),
    ro('usb-group-uuid', 'USB_group'),
    ro('host-uuid', 'host'),
    ro('host-name-label', 'host>name_label'),
    ro('path'),
    ro('vendor-id'),
    ro('vendor-desc'),
    ro('product-id'),
    ro('product-desc'),
    ro('serial'),
    ro('version'),
    ro('description'),
    ro('speed'),
    rw('passthrough-enabled'),
  ],
};

export const usbGroup: RecordKind = {
  cls: 'USB_group',
  rows: [
    ro('uuid'),
    rw('name-label'),
    rw('name-description'),
    setRo('VUSB-uuids', 'VUSBs'),
    setRo('PUSB-uuids', 'PUSBs'),
    mapRw('other-config'),
  ],
};

export const vusb: RecordKind = {
  cls: 'VUSB',
  rows: [
    ro('uuid'),
    ro('vm-uuid', 'VM'),
    ro('vm-name-label', 'VM>name_label'),
    ro('usb-group-uuid', 'USB_group'),
    ro('usb-group-name-label', 'USB_group>name_label'),
    mapRw('other-config'),
    ro('currently-attached'),
    setRo('allowed-operations'),
    setRo('current-operations'),
  ],
};
