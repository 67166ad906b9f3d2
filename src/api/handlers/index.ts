/** The handlers of every class that has server logic. Adding a class: its file, and its row here. */
import type { ClassName, Model } from '../../datamodel/index.ts';
import type { ClassHandlers } from '../context.ts';
import { eventHandlers } from './event.ts';
import { host } from './host.ts';
import { messageHandlers } from './message.ts';
import { network } from './network.ts';
import { pbd } from './pbd.ts';
import { pif } from './pif.ts';
import { pool } from './pool.ts';
import { roleHandlers } from './role.ts';
import { secretHandlers } from './secret.ts';
import { sessionHandlers } from './session.ts';
import { sr } from './sr.ts';
import { authHandlers, subjectHandlers, userHandlers } from './subject.ts';
import { taskHandlers } from './task.ts';
import { pusbHandlers, usbGroupHandlers, vusbHandlers } from './usb.ts';
import { vbdHandlers } from './vbd.ts';
import { vdi } from './vdi.ts';
import { vifHandlers } from './vif.ts';
import { vmHandlers } from './vm.ts';
import { vmAppliance } from './vm-appliance.ts';
import { vmssHandlers } from './vmss.ts';
import { vtpmHandlers } from './vtpm.ts';

export const handlers: { readonly [C in ClassName]?: ClassHandlers<Model[C]> } = {
  session: sessionHandlers,
  task: taskHandlers,
  event: eventHandlers,
  role: roleHandlers,
  secret: secretHandlers,
  subject: subjectHandlers,
  user: userHandlers,
  auth: authHandlers,
  message: messageHandlers,
  PBD: pbd,
  SR: sr,
  VDI: vdi,
  network,
  PIF: pif,
  host,
  pool,
  VM_appliance: vmAppliance,
  VMSS: vmssHandlers,
  VM: vmHandlers,
  VBD: vbdHandlers,
  VIF: vifHandlers,
  VTPM: vtpmHandlers,
  PUSB: pusbHandlers,
  USB_group: usbGroupHandlers,
  VUSB: vusbHandlers,
};
