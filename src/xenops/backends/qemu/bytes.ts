/** Bytes between a socket and a file, one piece at a time, so that memory stays bounded. */
import type { FileHandle } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** Bytes read from a file at once. */
const piece = 1 << 20;

/** Writes all that comes to `file` from `start`; answers how much that was when the sender has ended. */
export async function receive(socket: Socket, file: FileHandle, start: number): Promise<number> {
  let position = start;
  for await (const data of socket as AsyncIterable<Buffer>) {
    for (let done = 0; done < data.length; ) {
      const { bytesWritten } = await file.write(data, done, data.length - done, position);
      done += bytesWritten;
      position += bytesWritten;
    }
  }
  return position - start;
}
/** Sends `length` bytes of `file` from `start`. Rejects when the file is shorter. */
export async function send(
  file: FileHandle,
  start: number,
  length: number,
  socket: Socket,
  sent: (bytes: number) => void,
): Promise<void> {
  for (let done = 0; done < length; ) {
    const want = Math.min(piece, length - done);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(want), 0, want, start + done);
    if (bytesRead === 0) throw new Error(`the file ends after ${start + done} bytes of ${start + length}`);
    await new Promise<void>((resolve, reject) => {
      socket.write(buffer.subarray(0, bytesRead), (error) => (error ? reject(error) : resolve()));
    });
    done += bytesRead;
    sent(done);
  }
}
