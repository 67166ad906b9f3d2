/** Waiting until something in the store is as it should be. */
import type { Clock } from '../../../base/clock.ts';
import type { Store } from '../../../contracts/xenstore.ts';

export interface Awaited {
  /** The node's value when the wait ended; undefined when it is not there. */
  readonly value: string | undefined;
  /** Whether it fits; false: time is up. */
  readonly fits: boolean;
}

/** Watches `path` until its value fits, or for `ms`. */
export async function awaitNode(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  path: string,
  fits: (value: string | undefined) => boolean,
  ms: number,
  signal?: AbortSignal,
): Promise<Awaited> {
  const done = Promise.withResolvers<Awaited>();
  done.promise.catch(() => undefined); // it may fail before it is waited for
  let last: string | undefined;
  const look = () =>
    store.find(path).then((value) => {
      last = value;
      if (fits(value)) done.resolve({ value, fits: true });
    }, done.reject);
  const cancel = clock.after(ms, () => done.resolve({ value: last, fits: false }));
  const stop = () => done.reject(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  const unwatch = await store.watch(path, () => void look());
  try {
    return await done.promise;
  } finally {
    cancel();
    signal?.removeEventListener('abort', stop);
    await unwatch();
  }
}
