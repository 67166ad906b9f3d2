/**
 * How often a property is tried. Usually with the same seed, so that a run can be repeated; `scripts/soak` asks for more
 * (`GUESTHOUSE_SOAK`, programs per round, of which 100 are the usual effort) with other seeds (`GUESTHOUSE_SEED`).
 */
export interface Tries {
  readonly seed: number;
  readonly numRuns: number;
}

export function tries({ seed, numRuns }: Tries, env: NodeJS.ProcessEnv = process.env): Tries {
  const programs = Number(env['GUESTHOUSE_SOAK'] ?? 0);
  if (!(programs > 0)) return { seed, numRuns };
  return { seed: seed + Number(env['GUESTHOUSE_SEED'] ?? 0), numRuns: Math.ceil((numRuns * programs) / 100) };
}
