/** A guest of 260 bytes for tests of QEMU: it prints READY on its first serial port, echoes what it is sent there, and obeys. */
import { pvhKernel } from '../../src/xenops/backends/qemu/probe-payload.ts';

/**
 * What it does, at 1 MiB, entered in 32-bit protected mode: serial port to 8N1; interrupt table, PICs and a timer of 100 Hz, so that
 * it can halt between looks; ACPI's power button enabled (PM1a_EN at 0x602); READY. Then at each tick: power button pressed
 * (0x600) or `p` typed → powers off through PM1a_CNT (0x604); `r` → resets (0xcf9); `c` → reports a panic (0x505); other
 * characters come back.
 */
const code = Buffer.from(
  [
    'fabc0000180066bafb03b003eebf00001900b8ec001000b9300000006689078c4f0266c74704008e89c3c1eb1066895f0683c708e2e60f011df30010',
    '00b011e620e6a0b020e621b028e6a1b004e621b002e6a1b001e621e6a1b0fee621b0ffe6a1b034e643b09ce640b02ee64066ba020666b8000166efbe',
    'f9001000ac84c07407e855000000ebf4fbf466ba000666ed6683f8ff740666a90001752166bafd03eca80174e366baf803ec3c70740f3c7274173c63',
    '741ce820000000ebcb66ba040666b8002066efebbf66baf90cb006eeebb666ba0505b001eeebad5066bafd03eca82074f75866baf803eec350b020e6',
    '2058cf7f010000190052454144590d0a00',
  ].join(''),
  'hex',
);
export const tinyGuest = (): Buffer => pvhKernel(code);
