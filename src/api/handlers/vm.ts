import type { VM } from '../../datamodel/classes/vm.ts';
import type { ClassHandlers } from '../context.ts';

/** XenAPI class VM: life cycle, devices and memory of virtual machines. */
export const vmHandlers: ClassHandlers<typeof VM> = {};
