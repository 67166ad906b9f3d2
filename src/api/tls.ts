/** The server's certificate: made on first start, kept in `<folder>/server.crt` and `server.key` (mode 0600). */
import { webcrypto } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}
const validYears = 10;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** Reads the certificate, or makes one for `names` (host names and addresses). `now` in milliseconds. */
export async function ensureCertificate(folder: string, names: readonly string[], now: number): Promise<Certificate> {
  const certFile = join(folder, 'server.crt');
  const keyFile = join(folder, 'server.key');
  const [cert, key] = await Promise.all([readOptional(certFile), readOptional(keyFile)]);
  if (cert && key) return { cert, key };
  const made = await makeCertificate(names, now);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeSafely(keyFile, made.key, 0o600);
  await writeSafely(certFile, made.cert, 0o644);
  return made;
}

export async function makeCertificate(names: readonly string[], now: number): Promise<Certificate> {
  // loaded here, as most starts find their certificate: the library takes a tenth of a second
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const crypto = webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0];
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const alternatives = names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value }));
  const made = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${(names[0] ?? 'localhost').replace(/[^A-Za-z0-9.:-]/g, '-')}`,
      notBefore: new Date(now - 24 * 3600_000),
      notAfter: new Date(now + validYears * 365 * 24 * 3600_000),
      signingAlgorithm: algorithm,
      keys: keys as never,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternatives),
      ],
    },
    crypto,
  );
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, '$&\n').trim()}\n-----END PRIVATE KEY-----\n`;
  return { cert: `${made.toString('pem')}\n`, key };
}

async function writeSafely(file: string, text: string, mode: number): Promise<void> {
  await writeFile(`${file}.new`, text, { mode, flush: true });
  await rename(`${file}.new`, file);
}
async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
