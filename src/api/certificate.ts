/** The Certificate record of this host: what its TLS socket presents. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ref } from '../datamodel/dsl.ts';
import type { Db, Patch } from '../db/db.ts';
import { wireTime } from './wire-time.ts';

interface Parts {
  readonly db: Db;
  readonly host: Ref<'host'>;
  readonly dataDir: string;
}

/** In PEM; undefined when TLS was never turned on. */
export async function hostCertificate(dataDir: string): Promise<string | undefined> {
  try {
    return await readFile(join(dataDir, 'tls', 'server.crt'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes the record match the certificate; a host without one has none. To be called once the TLS socket listens. */
export async function syncCertificate({ db, host, dataDir }: Parts): Promise<void> {
  const pem = await hostCertificate(dataDir);
  const there = db.where('Certificate', 'host', host);
  db.write((w) => {
    const wanted = pem === undefined ? undefined : fieldsOf(host, pem);
    const same = wanted && there.find((r) => db.get('Certificate', r).fingerprint_sha256 === wanted.fingerprint_sha256);
    for (const ref of there) if (ref !== same) w.destroy('Certificate', ref);
    if (wanted && !same) w.create('Certificate', wanted);
  });
}

function fieldsOf(host: Ref<'host'>, pem: string): Patch<'Certificate'> {
  const certificate = new X509Certificate(pem);
  return {
    type: 'host',
    host,
    not_before: wireTime(Date.parse(certificate.validFrom)),
    not_after: wireTime(Date.parse(certificate.validTo)),
    fingerprint: certificate.fingerprint256,
    fingerprint_sha256: certificate.fingerprint256,
    fingerprint_sha1: certificate.fingerprint,
  };
}
