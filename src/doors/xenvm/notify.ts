/** What is told to whoever follows a VM: one line `UUID:CODE:MESSAGE` on a connection of its own. */
import { connect } from 'node:net';
import type { Log } from '../../base/log.ts';

/** How long a listener may take to accept. */
const patienceMs = 5000;

/** `where` as the key `notify` has it; '' and D-Bus tell nobody. A listener that is away misses it. */
export function notifier(where: string, uuid: string, log: Log): (code: number, message: string) => void {
  const [kind, target = ''] = where.split(/,(.*)/s);
  const colon = target.lastIndexOf(':');
  const tcp = { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
  const address = kind === 'unix' ? { path: target } : kind === 'tcp' ? tcp : undefined;
  return (code, message) => {
    log.debug('told', { code, message });
    if (!address) return;
    const socket = connect({ ...address, timeout: patienceMs });
    socket.once('timeout', () => socket.destroy());
    socket.once('error', (error) => log.warn('nobody was told', { where, message, error: error.message }));
    socket.end(`${uuid}:${code}:${message.replaceAll('\n', ' ')}\n`);
  };
}
