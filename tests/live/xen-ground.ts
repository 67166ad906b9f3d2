/** What tests of guests on Xen begin with. */
import type { TestContext } from 'node:test';
import type { VbdAttachment } from '../../src/xenops/backend.ts';
import type { XenOptions } from '../../src/xenops/backends/xen/index.ts';
import { type XenBench, xenBench } from './xen-bench.ts';

/** A bench that goes when the test ends, open. */
export async function ground(t: TestContext, type: 'pv' | 'pvh', changed: Partial<XenOptions> = {}): Promise<XenBench> {
  const bench = await xenBench(type, changed);
  t.after(() => bench.dispose());
  await bench.backend.open();
  return bench;
}
/** Tiny Linux as guest 1, which has said READY. */
export async function boot(b: XenBench, attach?: (vm: string) => Promise<unknown>): Promise<string> {
  const spec = b.spec(1);
  await b.backend.vm.create(spec, 1);
  await attach?.(spec.id);
  await b.backend.vm.build(spec);
  await b.backend.vm.unpause(spec.id);
  await b.ready(spec.id);
  return spec.id;
}
export const drive = (position: number, disk: VbdAttachment['disk']): VbdAttachment => ({
  spec: { id: `d${position}`, position, type: 'Disk', mode: disk?.readOnly ? 'RO' : 'RW', media: null },
  disk,
});
/** Types a command and waits for its answer, which the echo of the command does not hold. */
export async function run(b: XenBench, vm: string, command: string, answer: string): Promise<void> {
  const [first, rest] = [answer.slice(0, 1), answer.slice(1)];
  await b.type(vm, `${command} && echo ${first}""${rest}\n`);
  await b.says(vm, `${answer}\r\n`);
}
