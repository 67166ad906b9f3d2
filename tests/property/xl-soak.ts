/**
 * Soak of xm/xl files: `bin/node tests/property/xl-soak.ts [COUNT] [SEED]`, a million by default. Each mutated file is refused with
 * a place, or becomes a description that the domain manager takes and that, written as a file again, is read the same.
 */
import { seededIds } from '../../src/base/ids.ts';
import { vmSpecSchema } from '../../src/contracts/xenops.ts';
import { metadataOf } from '../../src/doors/xenops-cli/from-xl.ts';
import { xlText } from '../../src/doors/xenops-cli/to-xl.ts';
import { vbdSpecOf, vifSpecOf } from '../../src/doors/xenopsd/device.ts';
import type { Metadata } from '../../src/doors/xenopsd/types.ts';
import { specOf } from '../../src/doors/xenopsd/vm.ts';
import { readXl } from '../../src/wire/xl-config.ts';
import { mutations } from '../../src/wire/xl-corpus.ts';
import { XlError } from '../../src/wire/xl-syntax.ts';
import { checkSpec } from '../../src/xenops/spec.ts';

/** Runs `count` files; answers how many were taken. Throws with the first text that goes wrong. */
export function soakXl(count: number, seed: number): { taken: number; refused: number } {
  const ids = seededIds(1);
  let taken = 0;
  let refused = 0;
  for (const text of mutations(seed, count)) {
    try {
      const metadata = metadataOf(readXl('f', text), ids, 0);
      checkDescription(metadata);
      const again = metadataOf(readXl('again', xlText(metadata)), ids, 0);
      const said = ({ vm, vbds }: Metadata) => JSON.stringify([vm.name, vm.ty, vm.platformdata, vm.vcpus, vbds]);
      if (said(again) !== said(metadata)) throw new Error(`written and read again it says ${said(again)}`);
      taken++;
    } catch (error) {
      if (!(error instanceof XlError) || error.file === 'again')
        throw new Error(`seed ${seed}: ${JSON.stringify(text)}`, { cause: error });
      refused++;
    }
  }
  return { taken, refused };
}
function checkDescription({ vm, vbds, vifs }: Metadata): void {
  let spec = specOf(vm, undefined);
  for (const vbd of vbds) spec = { ...spec, vbds: [...spec.vbds, vbdSpecOf(vbd, spec)] };
  for (const vif of vifs) spec = { ...spec, vifs: [...spec.vifs, vifSpecOf(vif, spec)] };
  checkSpec(vmSpecSchema.check(spec, 'spec'));
}

if (import.meta.main) {
  const [count = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  const start = performance.now();
  const found = soakXl(count, seed);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `xl: ${count} files, ${found.taken} taken, ${found.refused} refused by place, none else, in ${seconds} s`,
  );
}
