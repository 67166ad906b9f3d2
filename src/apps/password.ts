/** Root's password on its way from the user to the house (see `up.ts` for the hand-over). Never shown in a command line. */
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Places } from './places.ts';
import { Refusal } from './refusal.ts';

/** Letters and digits that are not taken for one another. */
const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';

/** The answer is the new password when one was made now: it is to be shown once. */
export function preparePassword(at: Places, passwordFile: string | undefined): string | undefined {
  if (passwordFile !== undefined) {
    writePrivate(at.passwordNew, firstLine(passwordFile));
    return undefined;
  }
  if ([at.password, at.passwordNew, at.passwordHash].some((file) => existsSync(file))) return undefined;
  const made = Array.from({ length: 16 }, () => alphabet[randomInt(alphabet.length)]).join('');
  writePrivate(at.password, made);
  return made;
}

function firstLine(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    throw new Refusal(`--password-file ${path}: it cannot be read (${code}); write the password on its first line`);
  }
  const line = (text.split('\n')[0] ?? '').replace(/\r$/, '');
  if (line === '') throw new Refusal(`--password-file ${path}: its first line is empty; write the password there`);
  return line;
}

/** Complete or not there, and never readable by others. */
function writePrivate(path: string, line: string): void {
  writeFileSync(`${path}.tmp`, `${line}\n`, { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}
