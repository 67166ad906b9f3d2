/** BIOS strings (XenAPI's names) as QEMU's tables of SMBIOS. Pure. */
import { options } from './options.ts';

/** Type of the table → XenAPI's name → QEMU's. */
const tables: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  0: { 'bios-vendor': 'vendor', 'bios-version': 'version' },
  1: {
    'system-manufacturer': 'manufacturer',
    'system-product-name': 'product',
    'system-version': 'version',
    'system-serial-number': 'serial',
  },
  2: {
    'baseboard-manufacturer': 'manufacturer',
    'baseboard-product-name': 'product',
    'baseboard-version': 'version',
    'baseboard-serial-number': 'serial',
    'baseboard-asset-tag': 'asset',
    'baseboard-location-in-chassis': 'location',
  },
  3: { 'enclosure-asset-tag': 'asset' },
};

export function smbios(strings: Readonly<Record<string, string>>): string[] {
  const args = Object.entries(tables).flatMap(([type, names]) => {
    const given = Object.entries(names).filter(([name]) => strings[name]);
    if (given.length === 0) return [];
    return [
      '-smbios',
      options('', {
        type: Number(type),
        ...Object.fromEntries(given.map(([name, key]) => [key, strings[name] ?? ''])),
      }),
    ];
  });
  const oem = Object.keys(strings).filter((name) => name.startsWith('oem-') || name === 'hp-rombios');
  const values = oem.map((name) => strings[name] ?? '').filter((text) => text !== '');
  return values.length > 0 ? [...args, '-smbios', options('', { type: 11, value: values })] : args;
}
