/** `guesthouse box build`: the layers of a box, as far as they are missing. */
import { join, resolve } from 'node:path';
import { buildDebian } from '../box/debian.ts';
import { buildToolstack } from '../box/toolstack.ts';
import type { Terminal } from './up.ts';
import { root } from './version.ts';

export interface BoxLayers {
  readonly debian: string;
  readonly toolstack: string;
}

/** Makes what is missing; answers where the layers are. Rejects with a `BoxProblem`. */
export async function boxLayers(
  cache: string | undefined,
  say: Terminal['say'],
  signal?: AbortSignal,
): Promise<BoxLayers> {
  const options = { cache: resolve(cache ?? join(root, 'build', 'box')), say, ...(signal ? { signal } : {}) };
  return {
    debian: await buildDebian({ ...options, recipes: join(root, 'box') }),
    toolstack: await buildToolstack({ ...options, root }),
  };
}

export async function boxBuild(options: { readonly cache?: string }, { out, say }: Terminal): Promise<number> {
  const { debian, toolstack } = await boxLayers(options.cache, say);
  out(debian);
  out(toolstack);
  return 0;
}
