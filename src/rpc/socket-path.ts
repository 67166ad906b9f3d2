/** Unix sockets by path. */
import { connect } from 'node:net';

/** What the kernel takes, without the final zero. */
const longest = 107;

/** Throws when the kernel would not take the path. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > longest)
    throw new Error(
      `${path}: a socket's path has at most ${longest} bytes, this one has ${bytes}; use a shorter data folder`,
    );
}

/** Whether a process accepts connections there. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Reset: it ended at this moment.
      if (['ECONNREFUSED', 'ENOENT', 'ECONNRESET'].includes(error.code ?? '')) resolve(false);
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}
