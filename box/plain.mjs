/**
 * Loaded before everything else in the box (NODE_OPTIONS): the sources on the toolstack's disk have no types any more, and are not
 * looked through for types again. Under emulation that is most of the time of a start.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const sources = new URL('../src/', import.meta.url).href;

registerHooks({
  load(url, context, next) {
    if (!url.startsWith(sources) || !url.endsWith('.ts')) return next(url, context);
    return { format: 'module', source: readFileSync(fileURLToPath(url)), shortCircuit: true };
  },
});
