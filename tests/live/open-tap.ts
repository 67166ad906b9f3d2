/** A tap from the guest's side. */
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import koffi from 'koffi';

/** The guest's end of a tap, as QEMU would open it. */
export function openTap(ifname: string): number {
  const libc = koffi.load('libc.so.6');
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, uint8_t *data)');
  const fd = openSync('/dev/net/tun', 'r+');
  const request = Buffer.alloc(40);
  request.write(ifname);
  const noHeader = 0x1002; // IFF_TAP | IFF_NO_PI
  request.writeUInt16LE(noHeader, 16);
  const setInterface = 0x400454ca; // TUNSETIFF
  assert.equal(ioctl(fd, setInterface, request), 0, `${ifname} cannot be opened`);
  return fd;
}
