/** Event channels (libxenevtchn): bells that domains ring for each other, all of them heard on one descriptor. */
import type { Log } from '../base/log.ts';
import { CallFailed, checked, checkedPointer, koffi, loadLibrary, type Pointer } from './koffi.ts';
import { type Libc, openLibc } from './libc.ts';
import { watchReadable } from './readable.ts';

/** Rung by the hypervisor when a domain was shut down or is gone. */
export const virqDomainException = 3;

/** A guest that was answered often asks again at once. */
const lingerMs = 5;

export interface EventChannels {
  /** The descriptor that carries the events; a program that replaces this one may go on with it. */
  readonly fd: number;
  /** Binds to `remotePort` of `domid`; answers the local port. Throws `CallFailed`. */
  bindInterdomain(domid: number, remotePort: number): number;
  /** Binds a virtual interrupt; answers the local port. */
  bindVirq(virq: number): number;
  unbind(port: number): void;
  /** Rings the other end; false when there is none any more. */
  notify(port: number): boolean;
  /** Calls `rung` once for each port that was rung, after it may ring again. */
  listen(rung: (port: number) => void): void;
  close(): void;
}

export interface EventChannelOptions {
  readonly log: Log;
  /** A descriptor that a predecessor opened: its ports stay bound. A new one unless given. */
  readonly fd?: number;
  readonly libc?: Libc;
}

export function openEventChannels({ log, fd: inherited, libc = openLibc() }: EventChannelOptions): EventChannels {
  const lib = loadLibrary('libxenevtchn.so.1', 'libxenevtchn1');
  const open = lib.func('void *xenevtchn_open(void *logger, unsigned int flags)');
  const fdopen = lib.func('void *xenevtchn_fdopen(void *logger, int fd, unsigned int flags)');
  const close = lib.func('int xenevtchn_close(void *handle)');
  const fdOf = lib.func('int xenevtchn_fd(void *handle)');
  const notify = lib.func('int xenevtchn_notify(void *handle, uint32_t port)');
  const bindInterdomain = lib.func('int xenevtchn_bind_interdomain(void *handle, uint32_t domid, uint32_t port)');
  const bindVirq = lib.func('int xenevtchn_bind_virq(void *handle, unsigned int virq)');
  const unbind = lib.func('int xenevtchn_unbind(void *handle, uint32_t port)');
  const opened: Pointer = inherited === undefined ? open(null, 0) : fdopen(null, inherited, 0);
  const handle = checkedPointer('xenevtchn_open', opened, 'is /dev/xen/evtchn there, and is this dom0?');
  const fd = checked('xenevtchn_fd', fdOf(handle));
  const gone = koffi().os.errno['ENOTCONN'];
  let stop: () => void = () => undefined;
  return {
    fd,
    bindInterdomain: (domid, port) =>
      checked('xenevtchn_bind_interdomain', bindInterdomain(handle, domid, port), `domain ${domid}, port ${port}`),
    bindVirq: (virq) => checked('xenevtchn_bind_virq', bindVirq(handle, virq), `virq ${virq}`),
    unbind: (port) => void checked('xenevtchn_unbind', unbind(handle, port), `port ${port}`),
    notify(port) {
      if (notify(handle, port) >= 0) return true;
      const errno = koffi().errno();
      if (errno === gone) return false;
      throw new CallFailed('xenevtchn_notify', errno, `port ${port}`);
    },
    listen(rung) {
      const onBytes = (bytes: Buffer) => {
        // Writing the ports back lets them ring again: before they are looked at, or a ring meanwhile would be missed.
        libc.write(fd, bytes);
        for (let at = 0; at + 4 <= bytes.length; at += 4) rung(bytes.readUInt32LE(at));
      };
      stop = watchReadable({ fd, libc, log, onBytes, lingerMs });
    },
    close() {
      stop();
      close(handle);
    },
  };
}
