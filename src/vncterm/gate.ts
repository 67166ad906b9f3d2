/**
 * A viewer's connection to a screen that lets anybody in, with or without a password at the gate.
 *
 *     viewer ──version, password──▶ (right) ──▶ screen: version, nobody asks ──▶ bytes both ways
 *                    └── wrong, nonsense, silence for half a minute ──▶ closed
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { challengeBytes, judge, minorVersion, newChallenge, security } from './security.ts';

const patienceMs = 30_000;
const version = 'RFB 003.008\n';

/** Joins `viewer` with the screen at the unix socket `screen`; resolves when they are joined, rejects when one went away. */
export async function admit(viewer: Socket, screen: string, password: string | undefined, clock: Clock): Promise<void> {
  viewer.setNoDelay(true);
  if (password !== undefined) {
    const gone = new AbortController();
    const cancel = clock.after(patienceMs, () => gone.abort(new Error('the viewer says nothing')));
    viewer.once('close', () => gone.abort(new Error('the viewer went away')));
    try {
      await askPassword(viewer, password, gone.signal);
    } finally {
      cancel();
    }
  }
  const guest = connect(screen);
  viewer.once('close', () => guest.destroy());
  guest.once('close', () => viewer.destroy());
  await once(guest, 'connect');
  guest.on('error', () => guest.destroy()); // the guest has ended
  if (password !== undefined) await pass(guest);
  viewer.pipe(guest).pipe(viewer);
}
async function askPassword(viewer: Socket, password: string, gone: AbortSignal): Promise<void> {
  viewer.write(version);
  const minor = minorVersion(await take(viewer, version.length, gone));
  if (minor === undefined) throw new Error('the viewer does not speak RFB 3');
  viewer.write(Buffer.from(minor >= 7 ? [1, security.password] : [0, 0, 0, security.password]));
  if (minor >= 7 && (await take(viewer, 1, gone))[0] !== security.password)
    throw new Error('the viewer wants no password');
  const challenge = newChallenge();
  viewer.write(challenge);
  const { right, reply } = judge(challenge, await take(viewer, challengeBytes, gone), password, minor);
  viewer.write(reply);
  if (!right) {
    viewer.end();
    throw new Error('a wrong password');
  }
}
/** The screen's own greeting, which the viewer has had already. */
async function pass(guest: Socket): Promise<void> {
  const gone = new AbortController();
  guest.once('close', () => gone.abort(new Error('the screen went away')));
  await take(guest, version.length, gone.signal);
  guest.write(version);
  const [count = 0] = await take(guest, 1, gone.signal);
  if (!(await take(guest, count, gone.signal)).includes(security.none)) throw new Error('the screen wants a password');
  guest.write(Buffer.from([security.none]));
  if ((await take(guest, 4, gone.signal)).readUInt32BE() !== 0) throw new Error('the screen refuses');
}
async function take(socket: Socket, length: number, gone: AbortSignal): Promise<Buffer> {
  for (;;) {
    gone.throwIfAborted();
    const bytes = socket.read(length) as Buffer | null;
    if (bytes?.length === length) return bytes;
    if (bytes) throw new Error('the connection ended');
    await once(socket, 'readable', { signal: gone });
  }
}
