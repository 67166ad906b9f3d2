/** XenAPI class `LVHD`. */
import { cls, field, t } from '../dsl.ts';

export const LVHD = cls({
  name: 'LVHD',
  doc: 'Operations on SRs that keep VHD disks in LVM volumes.',
  life: 'dundee',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: false,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'rio', 'UUID; there are no objects of this class.'),
  },
  messages: {
    enable_thin_provisioning: {
      doc: 'Make an LVM SR allocate space when disks are written, by the given sizes in bytes.',
      params: { host: t.ref('host'), SR: t.ref('SR'), initial_allocation: t.int, allocation_quantum: t.int },
      result: t.string,
      role: 'pool-admin',
      life: 'dundee',
      forwardTo: 'host-extension:LVHD.enable_thin_provisioning',
    },
  },
});
