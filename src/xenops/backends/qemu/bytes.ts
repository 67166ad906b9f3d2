/** Bytes between a socket and a file, one piece at a time, so that memory stays bounded. */
import type { FileHandle } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { crc32 } from 'node:zlib';

/** Bytes read from a file at once. */
const piece = 1 << 20;

/** How many bytes there were, and their CRC-32. */
export interface Sum {
  readonly length: number;
  readonly crc: number;
}

/** Bytes that may wait to be written: the sender is held back beyond that. */
const mostWaiting = 8 << 20;

/** Writes all that comes to `file` from `start`; answers what that was when the sender has ended. */
export async function receive(socket: Socket, file: FileHandle, start: number): Promise<Sum> {
  let [position, crc, waiting]: [number, number, Buffer[]] = [start, 0, []];
  let length = 0;
  let writing: Promise<void> | undefined;
  // What came while the last was written goes together.
  const write = async () => {
    while (waiting.length > 0) {
      const now = waiting;
      waiting = [];
      length = 0;
      position += await writeAll(file, now, position);
    }
    writing = undefined;
  };
  for await (const data of socket as AsyncIterable<Buffer>) {
    waiting.push(data);
    length += data.length;
    writing ??= write();
    crc = crc32(data, crc);
    if (length > mostWaiting) await writing;
  }
  await writing;
  return { length: position - start, crc };
}
/** Answers how much there was. */
async function writeAll(file: FileHandle, pieces: readonly Buffer[], position: number): Promise<number> {
  const total = pieces.reduce((sum, each) => sum + each.length, 0);
  const { bytesWritten } = await file.writev(pieces, position);
  if (bytesWritten === total) return total;
  // A short write: the rest by itself.
  const rest = Buffer.concat(pieces).subarray(bytesWritten);
  return bytesWritten + (await writeAll(file, [rest], position + bytesWritten));
}
/**
 * Sends `length` bytes of `file` from `start`; answers their CRC-32. A receiver that hangs up has what it needs: the rest is only
 * summed. Rejects when the file is shorter, or `sent` throws.
 */
export async function send(
  file: FileHandle,
  start: number,
  length: number,
  socket: Socket,
  sent: (bytes: number) => void,
): Promise<number> {
  let crc = 0;
  for (let done = 0; done < length; ) {
    const want = Math.min(piece, length - done);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(want), 0, want, start + done);
    if (bytesRead === 0) throw new Error(`the file ends after ${start + done} bytes of ${start + length}`);
    const data = buffer.subarray(0, bytesRead);
    const written = new Promise<void>((resolve) => {
      if (socket.writable) socket.write(data, () => resolve());
      else resolve();
    });
    crc = crc32(data, crc);
    await written;
    done += bytesRead;
    sent(done);
  }
  return crc;
}
