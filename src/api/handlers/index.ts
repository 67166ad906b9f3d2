/** The handlers of each class that has any: a class's row makes its messages callable. */
import { pbd } from './pbd.ts';
import { sr } from './sr.ts';
import { vdi } from './vdi.ts';

export const handlers = {
  PBD: pbd,
  SR: sr,
  VDI: vdi,
};
