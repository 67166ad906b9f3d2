/** The backend suite on real Xen, with PV and with PVH guests. Runs in dom0: in the box, or on a Xen host. */
import test from 'node:test';
import { backendSuite } from '../conformance/backend.ts';
import { withoutXen, xenBench } from './xen-bench.ts';

const skip = withoutXen();
const types = (process.env['XEN_GUESTS'] ?? 'pv,pvh').split(',') as ('pv' | 'pvh')[];
if (skip) test('Xen: the backend suite', { skip }, () => undefined);
else for (const type of types) backendSuite(`xen ${type}`, { make: () => xenBench(type), patienceMs: 90_000 });
