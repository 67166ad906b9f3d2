import type { Clock } from '../base/clock.ts';

/**
 * Waits for `f` at most `ms`; then rejects with what `late` makes, and `f` is left to itself: `abandoned` hears when it
 * ends after all.
 */
export function within<T>(
  clock: Clock,
  ms: number,
  late: () => Error,
  f: () => Promise<T>,
  abandoned?: () => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let given = false;
    const cancel = clock.after(ms, () => {
      given = true;
      reject(late());
    });
    const ended = (settle: () => void) => {
      if (given) return abandoned?.();
      cancel();
      settle();
    };
    (async () => f())().then(
      (value) => ended(() => resolve(value)),
      (error: unknown) => ended(() => reject(error)),
    );
  });
}
