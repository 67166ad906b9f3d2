/** XenAPI class `vdi_nbd_server_info`. */
import { cls, field, t } from '../dsl.ts';

export const vdi_nbd_server_info = cls({
  name: 'vdi_nbd_server_info',
  doc: 'How to reach a disk by NBD at one address.',
  life: 'inverness',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'local-root',
  readRole: 'read-only',
  fields: {
    exportname: field(
      t.string,
      'DynamicRO',
      'inverness',
      'Name of the disk at the server; it contains a session and is a secret.',
    ),
    address: field(t.string, 'DynamicRO', 'inverness', 'Address of the server.'),
    port: field(t.int, 'DynamicRO', 'inverness', 'TCP port of the server.'),
    cert: field(t.string, 'DynamicRO', 'inverness', 'TLS certificate of the server in PEM.'),
    subject: field(t.string, 'DynamicRO', 'inverness', "Name to expect in the server's certificate."),
  },
  messages: {},
});
