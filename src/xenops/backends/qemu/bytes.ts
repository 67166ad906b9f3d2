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

/** Writes all that comes to `file` from `start`; answers what that was when the sender has ended. */
export async function receive(socket: Socket, file: FileHandle, start: number): Promise<Sum> {
  let position = start;
  let crc = 0;
  for await (const data of socket as AsyncIterable<Buffer>) {
    const written = writeAll(file, data, position);
    // While the file's writing has a thread of its own.
    crc = crc32(data, crc);
    await written;
    position += data.length;
  }
  return { length: position - start, crc };
}
async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length; ) {
    const { bytesWritten } = await file.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
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
