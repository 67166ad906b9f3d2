export { type LeftRunning, leftRunning } from './left.ts';
export { lockFile } from './lock.ts';
export { memoryOf, statOf } from './proc.ts';
export { createSupervisor, type Supervisor, type SupervisorOptions } from './supervisor.ts';
