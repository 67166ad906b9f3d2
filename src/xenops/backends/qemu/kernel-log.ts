/** The messages of the host's kernel, which is the hypervisor where QEMU has KVM. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { xenopsErrors } from '../../../contracts/xenops.ts';

/** As `dmesg` writes them: seconds since the boot in brackets. Unimplemented without the right to read them. */
export function kernelLog(path = '/dev/kmsg'): string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const reason = `reading the kernel's messages (${(cause as Error).message})`;
    throw xenopsErrors.make('Unimplemented', { function: reason, backend: 'qemu' }, { cause });
  }
  try {
    const buffer = Buffer.alloc(16 * 1024);
    let text = '';
    // One read is one message, until there are no more.
    for (let length = next(fd, buffer); length > 0; length = next(fd, buffer))
      text += messageText(buffer.toString('utf8', 0, length));
    return text;
  } finally {
    closeSync(fd);
  }
}
function next(fd: number, buffer: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, buffer);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') return 0;
      // This one was overwritten meanwhile: the next read goes on after the gap.
      if (code !== 'EPIPE') throw error;
    }
  }
}
/** `6,1234,5678901,-;text` with further lines that begin with a space. */
export function messageText(record: string): string {
  const [, microseconds = '0', text = ''] = /^\d+,\d+,(\d+)[^;]*;([^\n]*)/.exec(record) ?? [];
  const at = (Number(microseconds) / 1e6).toFixed(6).padStart(12);
  return `[${at}] ${text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))}\n`;
}
