/** XenAPI class `Certificate`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const Certificate = cls({
  name: 'Certificate',
  doc: 'A TLS certificate that a host presents or the pool trusts.',
  life: 'stockholm',
  lifecycle: false,
  events: true,
  persistent: true,
  inDatabase: true,
  getAll: true,
  role: 'read-only',
  readRole: 'read-only',
  fields: {
    uuid: field(t.string, 'DynamicRO', 'stockholm', 'UUID of the certificate.'),
    name: field(t.string, 'DynamicRO', '1.294.0', 'Name of a trusted certificate; empty for those of hosts.', {
      default: '',
    }),
    type: field(
      e.certificate_type,
      'DynamicRO',
      '1.294.0',
      "Whether it is a CA, a host's to clients, a host's inside the pool, or a pinned one.",
      { default: 'host' },
    ),
    host: field(t.ref('host'), 'StaticRO', 'stockholm', 'Host that presents the certificate, or null.', {
      default: 'OpaqueRef:NULL',
    }),
    not_before: field(t.datetime, 'StaticRO', 'stockholm', 'Start of validity, in UTC.', {
      default: '19700101T00:00:00Z',
    }),
    not_after: field(t.datetime, 'StaticRO', 'stockholm', 'End of validity, in UTC.', {
      default: '19700101T00:00:00Z',
    }),
    fingerprint: field(
      t.string,
      'StaticRO',
      'published stockholm; deprecated 24.19.0',
      'SHA-256 fingerprint; use fingerprint_sha256.',
      {
        default: '',
      },
    ),
    fingerprint_sha256: field(t.string, 'StaticRO', 'prototyped 24.20.0', 'SHA-256 fingerprint.', { default: '' }),
    fingerprint_sha1: field(t.string, 'StaticRO', 'prototyped 24.20.0', 'SHA-1 fingerprint.', { default: '' }),
    purpose: field(
      t.set(e.certificate_purpose),
      'StaticRO',
      'prototyped 26.13.0',
      'What a trusted certificate is used for; none means anything.',
      { default: [] },
    ),
  },
  messages: {},
});
