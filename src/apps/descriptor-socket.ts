/**
 * Descriptors over a unix socket (SCM_RIGHTS), which Node cannot receive: each comes with the 36 bytes of a uuid as data.
 */
import { closeSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Ids } from '../base/ids.ts';
import type { Incoming } from '../doors/forker/index.ts';
import { checked, koffi, loadLibrary } from '../xen/koffi.ts';

const idBytes = 36;
const mostDescriptors = 64;
const waitMs = 30_000;
const checkMs = 2;
/** Do not wait; close on exec. */
const receiveFlags = 0x40 | 0x4000_0000;
const rights = { level: 1, type: 1 };
/** Offsets in one block of memory: the message's header, its one vector, the data, control data. */
const at = { header: 0, vector: 64, data: 128, control: 192, end: 256 };
const controlBytes = at.end - at.control;

/** One message of such a socket: what came, nothing yet, or the end. */
type Received = { readonly id: string; readonly fd: number } | 'nothing' | 'end';

/** Reads from the descriptor of a socket that nobody else reads from. */
export function openReceiver(): (socket: number) => Received {
  const ffi = koffi();
  const recvmsg = loadLibrary('libc.so.6', 'libc6').func('intptr_t recvmsg(int socket, void *message, int flags)');
  const memory = ffi.alloc('uint8_t', at.end) as bigint;
  const view = new DataView(ffi.view(memory, at.end));
  return (socket) => {
    for (let i = 0; i < at.end; i++) view.setUint8(i, 0);
    view.setBigUint64(at.header + 16, memory + BigInt(at.vector), true);
    view.setBigUint64(at.header + 24, 1n, true);
    view.setBigUint64(at.header + 32, memory + BigInt(at.control), true);
    view.setBigUint64(at.header + 40, BigInt(controlBytes), true);
    view.setBigUint64(at.vector, memory + BigInt(at.data), true);
    view.setBigUint64(at.vector + 8, BigInt(idBytes), true);
    const bytes = recvmsg(socket, memory, receiveFlags) as number;
    if (bytes < 0 && ffi.errno() === ffi.os.errno['EAGAIN']) return 'nothing';
    if (checked('recvmsg', bytes) === 0) return 'end';
    const fds = descriptorsIn(view);
    const [fd] = fds;
    if (bytes !== idBytes || fd === undefined || fds.length > 1) {
      for (const each of fds) closeSync(each);
      throw new Error(`${bytes} bytes with ${fds.length} descriptors came; ${idBytes} with one are expected`);
    }
    return { id: Buffer.from(view.buffer, at.data, idBytes).toString('latin1'), fd };
  };
}
function descriptorsIn(view: DataView): number[] {
  const length = Number(view.getBigUint64(at.control, true));
  if (Number(view.getBigUint64(at.header + 40, true)) < 16 || length < 16) return [];
  const isRights =
    view.getInt32(at.control + 8, true) === rights.level && view.getInt32(at.control + 12, true) === rights.type;
  const count = isRights ? Math.floor((Math.min(length, controlBytes) - 16) / 4) : 0;
  return Array.from({ length: count }, (_, i) => view.getInt32(at.control + 16 + 4 * i, true));
}

interface ReceiverNeeds {
  readonly receive: ReturnType<typeof openReceiver>;
  readonly folder: string;
  readonly clock: Clock;
  readonly ids: Ids;
}
/** A socket `fd_<uuid>` in the folder for one sender. */
export async function descriptorSocket({ folder, clock, ids, receive }: ReceiverNeeds): Promise<Incoming> {
  const path = join(folder, `fd_${ids.uuid()}`);
  const sender = Promise.withResolvers<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => sender.resolve(socket));
  const umask = process.umask(0o177);
  const listening = new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  process.umask(umask);
  await listening;
  const close = () => {
    server.close();
    rmSync(path, { force: true });
    void sender.promise.then((socket) => socket.destroy());
  };
  return {
    path,
    close,
    all: async () => {
      const deadline = clock.now() + waitMs;
      const late = Promise.withResolvers<never>();
      const cancel = clock.after(waitMs, () => late.reject(new Error(`nobody came to ${path}`)));
      try {
        return await received(await Promise.race([sender.promise, late.promise]), receive, clock, deadline);
      } finally {
        cancel();
        close();
      }
    },
  };
}

async function received(
  socket: Socket,
  receive: ReturnType<typeof openReceiver>,
  clock: Clock,
  deadline: number,
): Promise<ReadonlyMap<string, number>> {
  const all = new Map<string, number>();
  // Node has no name for it: the socket is paused, so that nobody else reads from this descriptor.
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle;
  try {
    for (;;) {
      const next = receive(fd);
      if (next === 'end') return all;
      if (next === 'nothing') {
        if (clock.now() > deadline) throw new Error('the sender of descriptors does not close its socket');
        await clock.sleep(checkMs);
      } else if (all.has(next.id) || all.size >= mostDescriptors) {
        closeSync(next.fd);
        throw new Error(`more than ${mostDescriptors} descriptors, or one twice`);
      } else all.set(next.id, next.fd);
    }
  } catch (error) {
    for (const each of all.values()) closeSync(each);
    throw error;
  }
}
