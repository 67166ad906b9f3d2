/**
 * A raw connection to the bus, for messages that are passed on as they are.
 *
 *     connecting ──▶ authenticating ──OK──▶ greeting ──Hello answered──▶ open (paused until `start`) ──▶ closed
 */
import { connect, type Socket } from 'node:net';
import type { BusAddress } from '../wire/dbus/address.ts';
import { firstString, MessageReader, parseMessage } from '../wire/dbus/message.ts';
import { encodeMessage } from '../wire/dbus/write.ts';
import { FormatError, require } from '../wire/format-error.ts';

/** Bytes of the longest message that D-Bus knows. */
const longestMessage = 1 << 27;
const helloSerial = 0xfffffffe;
const hello = encodeMessage({
  kind: 'method-call',
  serial: helloSerial,
  path: '/org/freedesktop/DBus',
  interface: 'org.freedesktop.DBus',
  member: 'Hello',
  destination: 'org.freedesktop.DBus',
});
const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');

export interface BusLink {
  readonly socket: Socket;
  /** The unique name that the bus gave. */
  readonly name: string;
  /** Delivers every message from now on; FormatError thrown by `received`, or of the bus, goes to `failed`. */
  start(received: (bytes: Buffer) => void, failed: (error: Error) => void): void;
}

/** `domid`: told to a bus that knows the mechanism DOMID; undefined: the bus sees this process's user. */
export function openBusLink(address: BusAddress, domid?: number): Promise<BusLink> {
  const socket = connect(address);
  return new Promise<BusLink>((resolve, reject) => {
    const fail = (error: Error) => {
      socket.destroy();
      reject(error);
    };
    const hungUp = () => fail(new Error('the bus hung up'));
    const reader = new MessageReader(longestMessage);
    const early: Buffer[] = [];
    let line = '';
    let granted = false;
    const onData = (chunk: Buffer) => {
      try {
        if (granted) return greeted(chunk);
        line += chunk.toString('latin1');
        const end = line.indexOf('\r\n');
        if (end < 0) return;
        require(/^OK [0-9a-f]*$/i.test(line.slice(0, end)), `the bus does not take this peer: ${line.slice(0, end)}`);
        granted = true;
        socket.write(Buffer.concat([Buffer.from('BEGIN\r\n'), hello]));
      } catch (error) {
        fail(error as Error);
      }
    };
    const greeted = (chunk: Buffer) => {
      early.push(...reader.push(chunk));
      const [reply] = early;
      if (!reply) return;
      const message = parseMessage(reply, { body: false });
      const name = firstString(message);
      if (message.kind !== 'method-return' || message.replySerial !== helloSerial || !name)
        throw new FormatError('the bus did not answer Hello');
      socket.pause();
      socket.off('data', onData).off('close', hungUp).off('error', fail);
      early.shift();
      resolve({ socket, name, start: (received, failed) => start(socket, reader, early, received, failed) });
    };
    socket.on('data', onData).once('close', hungUp).once('error', fail);
    const asked =
      domid === undefined ? `EXTERNAL ${hex(String(process.getuid?.() ?? 0))}` : `DOMID ${hex(String(domid))}`;
    socket.write(`\0AUTH ${asked}\r\n`);
  });
}
function start(
  socket: Socket,
  reader: MessageReader,
  early: readonly Buffer[],
  received: (bytes: Buffer) => void,
  failed: (error: Error) => void,
): void {
  const guarded = (messages: Iterable<Buffer>) => {
    try {
      for (const bytes of messages) received(bytes);
    } catch (error) {
      failed(error as Error);
    }
  };
  guarded(early);
  socket.on('data', (chunk: Buffer) => guarded(reader.push(chunk)));
  socket.resume();
}
