/** A host in a process of its own for benchmarks: prints one line of JSON, then serves until its stdin closes. */
import { parseArgs } from 'node:util';
import type { Hypervisor } from '../src/apps/ground.ts';
import { testHouse } from '../tests/scenario/house.ts';

const { values } = parseArgs({
  options: { hypervisor: { type: 'string', default: 'simulator' }, guest: { type: 'string' } },
});
const guest = values.guest ? JSON.parse(values.guest) : undefined;
const house = await testHouse({ hypervisor: values.hypervisor as Hypervisor, ...(guest ? { guest } : {}) });
console.log(JSON.stringify({ url: house.url, port: house.port, data: house.data }));
process.stdin.resume();
process.stdin.on('end', () => void house[Symbol.asyncDispose]().then(() => process.exit(0)));
