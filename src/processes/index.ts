export { type Declared, parseConfig } from './config-file.ts';
export { ConfigError } from './config-setting.ts';
export { applyDeclared } from './declared.ts';
export { closeInherited } from './descriptors.ts';
export { type LeftRunning, leftRunning } from './left.ts';
export { lockFile } from './lock.ts';
export { memoryOf, statOf } from './proc.ts';
export { createSupervisor, type Supervisor, type SupervisorOptions } from './supervisor.ts';
