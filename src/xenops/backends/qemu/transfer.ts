/** QEMU's migration as a guest's state leaves or enters it: how it ended, how far it is, and that it is to stop. */
import type { Socket } from 'node:net';
import { bestEffort } from '../../../base/best-effort.ts';
import type { Call } from '../../../contracts/contract.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';

const progressMs = 250;

const cancelled = (call: Call, domain: Domain) =>
  xenopsErrors.make('Cancelled', { task: call.label ?? domain.vm }, { cause: call.signal?.reason });

/** Waits for QEMU to say how its migration ended. Rejects when it failed, the call was aborted or QEMU is gone. */
export function migrationEnd(domain: Domain, call: Call): { end: Promise<void>; [Symbol.dispose](): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => undefined); // it may fail before it is waited for
  const deaf = domain.listen(({ event, data }) => {
    if (event !== 'MIGRATION') return;
    if (data['status'] === 'completed') resolve();
    if (data['status'] === 'failed' || data['status'] === 'cancelled') reject(new Error(`migration ${data['status']}`));
  });
  const gone = () => reject(new Error('QEMU ended'));
  const stop = () => reject(cancelled(call, domain));
  domain.dead.addEventListener('abort', gone, { once: true });
  call.signal?.addEventListener('abort', stop, { once: true });
  if (domain.dead.aborted) gone();
  if (call.signal?.aborted) stop();
  return {
    end: promise,
    [Symbol.dispose]() {
      deaf();
      domain.dead.removeEventListener('abort', gone);
      call.signal?.removeEventListener('abort', stop);
    },
  };
}
/** Answers when QEMU is no longer migrating, so that the guest can go on. */
export async function cancelMigration(domain: Domain, socket: Socket | undefined): Promise<void> {
  if (domain.power === 'ended') return void socket?.destroy();
  const over = Promise.withResolvers<void>();
  const deaf = domain.listen(({ event, data }) => {
    if (event === 'MIGRATION' && ['cancelled', 'failed', 'completed'].includes(String(data['status']))) over.resolve();
  });
  const late = domain.needs.clock.after(domain.needs.patience.commandMs, () => over.resolve());
  try {
    await domain.execute('migrate_cancel');
    socket?.destroy();
    const { status } = (await domain.execute('query-migrate')) as { status?: string };
    if (status === 'active' || status === 'setup' || status === 'cancelling') await over.promise;
  } finally {
    late();
    deaf();
  }
}
export function reportProgress(domain: Domain, call: Call): () => void {
  const { progress } = call;
  if (!progress) return () => undefined;
  let stop = (): void => undefined;
  let over = false;
  const look = async () => {
    const { ram } = (await domain.execute('query-migrate')) as { ram?: { total: number; remaining: number } };
    if (ram && ram.total > 0 && !over) progress(Math.min(1, Math.max(0, 1 - ram.remaining / ram.total)));
  };
  const tick = () => {
    void bestEffort('the progress of a save', domain.needs.log, look).then(() => {
      if (!over) stop = domain.needs.clock.after(progressMs, tick);
    });
  };
  stop = domain.needs.clock.after(progressMs, tick);
  return () => {
    over = true;
    stop();
  };
}
