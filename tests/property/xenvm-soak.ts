/**
 * Soak of xenvm's files: `bin/node tests/property/xenvm-soak.ts [COUNT] [SEED]`, a million by default. Each mutated file is refused
 * with a place for every mistake, or becomes a description that the domain manager takes and whose fields can be read and set.
 */
import { vmSpecSchema } from '../../src/contracts/xenops.ts';
import { describe } from '../../src/doors/xenvm/describe.ts';
import { getField, setField } from '../../src/doors/xenvm/fields.ts';
import { readXenvm } from '../../src/wire/xenvm-config.ts';
import { xenvmMutations } from '../../src/wire/xenvm-corpus.ts';
import { XenvmError } from '../../src/wire/xenvm-syntax.ts';
import { checkSpec } from '../../src/xenops/spec.ts';

const id = '00000000-0000-4000-8000-000000000001';
const ground = { capabilities: ['pvh', 'hvm'], bridge: 'xenbr0' };
const place = /^f:\d+:\d+: [^\n]*: [^\n]+$/;

/** Runs `count` files; answers how many were taken. Throws with the first text that goes wrong. */
export function soakXenvm(count: number, seed: number): { taken: number; refused: number } {
  let taken = 0;
  let refused = 0;
  for (const text of xenvmMutations(seed, count)) {
    try {
      if (takes(text)) taken++;
      else refused++;
    } catch (error) {
      throw new Error(`seed ${seed}: ${JSON.stringify(text)}`, { cause: error });
    }
  }
  return { taken, refused };
}
function takes(text: string): boolean {
  let spec: ReturnType<typeof describe>;
  try {
    spec = describe(readXenvm('f', text), id, ground);
  } catch (error) {
    if (!(error instanceof XenvmError)) throw error;
    const bad = error.message.split('\nf:').find((line, i) => !place.test(i === 0 ? line : `f:${line}`));
    if (bad !== undefined) throw new Error(`no place: ${bad}`, { cause: error });
    return false;
  }
  checkSpec(vmSpecSchema.check(spec, 'spec'));
  const changed = setField(spec, 'vcpus', '3', ground);
  const { vcpus, notes, ...rest } = changed;
  const { vcpus: _, notes: __, ...before } = spec;
  if (vcpus.max !== 3 || JSON.stringify(rest) !== JSON.stringify(before)) throw new Error('set changed something else');
  if (getField(changed, 'vcpus') !== '3' || getField(changed, 'name') !== spec.name || !notes)
    throw new Error('get does not show what was set');
  return true;
}

if (import.meta.main) {
  const [count = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  const start = performance.now();
  const found = soakXenvm(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `xenvm: ${count} files, ${found.taken} taken, ${found.refused} refused by place, none else, in ${seconds} s`,
  );
}
