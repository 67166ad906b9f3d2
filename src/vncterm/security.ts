/** RFB's ways of letting a viewer in: anybody, or who knows a password (a challenge encrypted with DES; 8 characters count). */
import { createCipheriv, randomBytes, timingSafeEqual } from 'node:crypto';

export const security = { none: 1, password: 2 } as const;
export const challengeBytes = 16;

/** The minor version that a viewer names, or undefined for what is no RFB 3. */
export function minorVersion(message: Buffer): number | undefined {
  const found = /^RFB 003\.(\d{3})\n$/.exec(message.toString('latin1'))?.[1];
  return found === undefined ? undefined : Number(found);
}
export const newChallenge = (): Buffer => randomBytes(challengeBytes);
/** What is sent after the answer; whether it was right. */
export function judge(challenge: Buffer, answer: Buffer, password: string, minor: number) {
  const right = timingSafeEqual(answer, respond(challenge, password));
  const said = right || minor < 8 ? [] : [withLength('The password is wrong.')];
  return { right, reply: Buffer.concat([Buffer.from([0, 0, 0, right ? 0 : 1]), ...said]) };
}
export function withLength(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
/** The challenge, encrypted with DES; the bits of the key's bytes are turned round, as viewers do it. */
export function respond(challenge: Buffer, password: string): Buffer {
  const key = Buffer.alloc(8);
  Buffer.from(password, 'latin1').copy(key, 0, 0, 8);
  const turned = key.map((byte) => Number.parseInt(byte.toString(2).padStart(8, '0').split('').reverse().join(''), 2));
  // DES three times with one key is DES, which OpenSSL does not offer by itself any more.
  const cipher = createCipheriv('des-ede3-ecb', Buffer.concat([turned, turned, turned]), null).setAutoPadding(false);
  return Buffer.concat([cipher.update(challenge), cipher.final()]);
}
