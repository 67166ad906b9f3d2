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

/** How long a process that accepts may take to greet; one that is stopped is there too. */
const greetingMs = 2000;

/** Whether a process serves a contract there. One that is being killed may still accept, but greets no more. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const answer = (is: boolean) => {
      resolve(is);
      socket.destroy();
    };
    socket.once('connect', () => socket.setTimeout(greetingMs, () => answer(true)));
    socket.once('data', () => answer(true));
    socket.once('close', () => answer(false));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) answer(false);
      else if (error.code === 'EAGAIN') answer(true);
      else reject(error);
    });
  });
}
