/** Media that boot on a PC with a BIOS: 512 bytes of code that print a line on the first serial port. */

/** Machine code and text of a boot sector that prints `line`, then halts. */
export function bootSector(line: string): Buffer {
  const print = [
    ...[0xac, 0x84, 0xc0, 0x74, 0x12], // next: lodsb; test al, al; jz halt
    ...[0x88, 0xc3, 0xba, 0xfd, 0x03], // mov bl, al; mov dx, 0x3fd
    ...[0xec, 0xa8, 0x20, 0x74, 0xfb], // wait: in al, dx; test al, 0x20; jz wait
    ...[0xba, 0xf8, 0x03, 0x88, 0xd8, 0xee], // mov dx, 0x3f8; mov al, bl; out dx, al
    ...[0xeb, 0xe9], // jmp next
  ];
  // sti; hlt; again: a machine whose last processor halts with interrupts off is off for Xen
  const halt = [0xfb, 0xf4, 0xeb, 0xfc];
  const start = [0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xbe]; // cli; ds = 0; mov si, the text
  const text = 0x7c00 + start.length + 2 + print.length + halt.length;
  const sector = Buffer.alloc(512);
  Buffer.from([...start, text & 0xff, text >> 8, ...print, ...halt]).copy(sector);
  sector.write(`${line}\r\n\0`, text - 0x7c00, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

const block = 2048;

/** An ISO image without files that boots from a sector, by El Torito without emulation. */
export function bootIso(line: string): Buffer {
  const image = Buffer.alloc(24 * block);
  const at = (sector: number) => image.subarray(sector * block, (sector + 1) * block);
  at(16).write('\x01CD001\x01', 'latin1');
  at(16).writeUInt32LE(24, 80);
  at(16).writeUInt16LE(block, 128);
  at(17).write('\x00CD001\x01EL TORITO SPECIFICATION', 'latin1');
  at(17).writeUInt32LE(19, 71);
  at(18).write('\xffCD001\x01', 'latin1');
  const catalog = at(19);
  catalog[0] = 1;
  catalog.writeUInt16LE(0xaa55, 30);
  catalog.writeUInt16LE(0x10000 - 1 - 0xaa55, 28); // the words of the entry add up to nothing
  catalog[32] = 0x88;
  catalog.writeUInt16LE(4, 38);
  catalog.writeUInt32LE(20, 40);
  bootSector(line).copy(at(20));
  return image;
}
