import assert from 'node:assert/strict';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { isKind } from '../../../contracts/contract.ts';
import { asText, fromText } from './remembered.ts';
import { smbios } from './smbios.ts';

const variables = Buffer.alloc(540_672, 0xff);
variables.write('_FVH', 40, 'latin1');

test('what a machine remembers goes there and back', () => {
  const state = { efi: variables, tpm: Buffer.from([1, 2, 3]) };
  const text = asText(state);
  assert.ok((text.efi?.length ?? 0) < 4096);
  assert.deepEqual(fromText(text), state);
  assert.deepEqual(fromText({ efi: null, tpm: null }), { efi: null, tpm: null });
});

test('what is none of this ground, damaged or a bomb is refused', () => {
  const packed = (data: Buffer) => gzipSync(data).toString('base64');
  for (const efi of [
    '',
    'starts:3',
    'ovmf:',
    'ovmf:%%%',
    `ovmf:${packed(Buffer.alloc(100))}`,
    `ovmf:${packed(Buffer.alloc(64 << 20))}`,
  ])
    assert.throws(
      () => fromText({ efi, tpm: null }),
      (e) => isKind(e, 'Bad_spec'),
      efi.slice(0, 20),
    );
  assert.throws(
    () => fromText({ efi: null, tpm: `swtpm2:${packed(Buffer.alloc(2 << 20))}` }),
    (e) => isKind(e, 'Bad_spec'),
  );
});

test('BIOS strings become tables, with commas that QEMU does not take for its own', () => {
  const args = smbios({
    'bios-vendor': 'ACME, Inc.',
    'system-serial-number': '7',
    'oem-1': 'one',
    'oem-2': 'a,b',
    'system-version': '',
  });
  assert.deepEqual(args, [
    ...['-smbios', 'type=0,vendor=ACME,, Inc.'],
    ...['-smbios', 'type=1,serial=7'],
    ...['-smbios', 'type=11,value=one,value=a,,b'],
  ]);
  assert.deepEqual(smbios({}), []);
});
