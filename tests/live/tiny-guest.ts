/** A guest of 300 bytes for tests of QEMU: it prints READY on its first serial port, echoes what it is sent there, and obeys. */
import { pvhKernel } from '../../src/xenops/backends/qemu/probe-payload.ts';

/**
 * What it does, at 1 MiB, entered in 32-bit protected mode: serial port to 8N1; interrupt table, PICs and a timer of 100 Hz, so that
 * it can halt between looks; ACPI's power button enabled (PM1a_EN at 0x602); READY. Then at each tick: power button pressed
 * (0x600) or `p` typed → powers off through PM1a_CNT (0x604); `r` → resets (0xcf9); `c` → reports a panic (0x505); other
 * characters come back. Devices that are to be unplugged (ACPI's PCI_DOWN at 0xae04) are let go (PCI_EJ at 0xae08).
 */
const code = Buffer.from(
  [
    'fabc0000180066bafb03b003eebf00001900b806011000b9300000006689078c4f0266c74704008e89c3c1eb1066895f0683c708e2e60f011d0d0110',
    '00b011e620e6a0b020e621b028e6a1b004e621b002e6a1b001e621e6a1b0fee621b0ffe6a1b034e643b09ce640b02ee64066ba020666b8000166efbe',
    '13011000ac84c07407e86f000000ebf4fbf466ba000666ed6683f8ff740666a90001753b66ba10ae31c0ef66ba04aeed83f8ff740985c0740566ba08',
    'aeef66bafd03eca80174c966baf803ec3c70740f3c7274173c63741ce820000000ebb166ba040666b8002066efeba566baf90cb006eeeb9c66ba0505',
    'b001eeeb935066bafd03eca82074f75866baf803eec350b020e62058cf7f010000190052454144590d0a00',
  ].join(''),
  'hex',
);
export const tinyGuest = (): Buffer => pvhKernel(code);
