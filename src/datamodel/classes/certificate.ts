/** XenAPI class `Certificate`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Certificate = cls({
  name: 'Certificate',
  doc: 'Certificate.',
  life: 'stockholm',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'read-only',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'stockholm', 'Uuid.'),
    name: field(t.string, 'DynamicRO', '1.294.0', 'Name.', { default: '' }),
    type: field(e.certificate_type, 'DynamicRO', '1.294.0', 'Type.', { default: 'host' }),
    host: field(t.ref('host'), 'StaticRO', 'stockholm', 'Host.', { default: 'OpaqueRef:NULL' }),
    not_before: field(t.datetime, 'StaticRO', 'stockholm', 'Not before.', { default: '19700101T00:00:00Z' }),
    not_after: field(t.datetime, 'StaticRO', 'stockholm', 'Not after.', { default: '19700101T00:00:00Z' }),
    fingerprint: field(t.string, 'StaticRO', 'published stockholm; deprecated 24.19.0', 'Fingerprint.', {
      default: '',
    }),
    fingerprint_sha256: field(t.string, 'StaticRO', 'prototyped 24.20.0', 'Fingerprint sha256.', { default: '' }),
    fingerprint_sha1: field(t.string, 'StaticRO', 'prototyped 24.20.0', 'Fingerprint sha1.', { default: '' }),
    purpose: field(t.set(e.certificate_purpose), 'StaticRO', 'prototyped 26.13.0', 'Purpose.', { default: [] }),
  },
  messages: {},
});
