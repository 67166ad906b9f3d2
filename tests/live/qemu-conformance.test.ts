/** The backend suite on real QEMUs. */
import { backendSuite } from '../conformance/backend.ts';
import { qemuBench } from './qemu-bench.ts';

backendSuite('qemu', { make: () => qemuBench() });
