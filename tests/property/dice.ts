/** Choices by a seed: the same seed, the same run. */
import { seededRandom } from '../../src/xenops/backends/simulator/faults.ts';

export type Dice = ReturnType<typeof dice>;
export function dice(seed: number) {
  const next = seededRandom(seed);
  const below = (n: number) => Math.floor(next() * n);
  return { below, one: <T>(of: readonly T[]): T => of[below(of.length)] as T, chance: (p: number) => next() < p };
}
