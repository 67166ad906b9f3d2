/** Root's password, kept as a salted scrypt hash in one file of mode 0600. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Identity } from './login.ts';

const cost = { N: 16384, r: 8, p: 1 } as const;
const keyLength = 32;

const derive = (password: string, salt: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    scrypt(password.normalize('NFKC'), salt, keyLength, cost, (error, key) => (error ? reject(error) : resolve(key))),
  );

/** `scrypt$N$r$p$salt$key`, salt and key in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64'), key.toString('base64')].join('$');
}
/** Compares in constant time. False for text that is no hash of ours. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const [kind, n, r, p, salt = '', key = ''] = hash.trim().split('$');
  const ours = kind === 'scrypt' && Number(n) === cost.N && Number(r) === cost.r && Number(p) === cost.p;
  const expected = Buffer.from(key, 'base64');
  const found = await derive(password, Buffer.from(salt, 'base64'));
  return ours && expected.length === found.length && timingSafeEqual(expected, found);
}

/** The account `root` whose hash is in `file`. Without a file nobody can log in by password. */
export function filePassword(file: string) {
  return {
    async authenticate(user: string, password: string): Promise<Identity | undefined> {
      const hash = await readOptional(file);
      const right = await verifyPassword(hash ?? '', password);
      return right && user === 'root' ? { user, superuser: true, roles: [] } : undefined;
    },
    /** Replaces the hash; readers see the old or the new one. */
    async change(password: string): Promise<void> {
      await writeFile(`${file}.new`, `${await hashPassword(password)}\n`, { mode: 0o600, flush: true });
      await rename(`${file}.new`, file);
    },
    isSet: async (): Promise<boolean> => (await readOptional(file)) !== undefined,
  };
}
async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
