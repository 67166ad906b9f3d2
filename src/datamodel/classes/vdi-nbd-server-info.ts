/** XenAPI class `vdi_nbd_server_info`. */
import { cls, field, t } from '../dsl.ts';

export const vdi_nbd_server_info = cls({
  name: 'vdi_nbd_server_info',
  doc: 'vdi nbd server info.',
  life: 'inverness',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    exportname: field(t.string, 'DynamicRO', 'inverness', 'Exportname.'),
    address: field(t.string, 'DynamicRO', 'inverness', 'Address.'),
    port: field(t.int, 'DynamicRO', 'inverness', 'Port.'),
    cert: field(t.string, 'DynamicRO', 'inverness', 'Cert.'),
    subject: field(t.string, 'DynamicRO', 'inverness', 'Subject.'),
  },
  messages: {},
});
