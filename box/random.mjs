/**
 * Loaded before everything else in the box: what the toolstack draws at random comes from the kernel each time. A box that comes back
 * twice from one snapshot would otherwise give the same names and secrets twice, out of what each process keeps in reserve; the
 * kernel is told of the return (`box/resume`).
 */
import crypto from 'node:crypto';
import { openSync, readSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const urandom = openSync('/dev/urandom', 'r');

function fresh(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) at += readSync(urandom, bytes, at, size - at, null);
  return bytes;
}

function randomBytes(size, callback) {
  const bytes = fresh(size);
  if (!callback) return bytes;
  process.nextTick(callback, null, bytes);
}

function randomUUID() {
  const bytes = fresh(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** From `low`, which may be left out, up to but without `high`; each as likely as the others. */
function randomInt(low, high) {
  const [from, to] = high === undefined ? [0, low] : [low, high];
  const range = to - from;
  const limit = 2 ** 48 - (2 ** 48 % range);
  for (;;) {
    const drawn = fresh(6).readUIntBE(0, 6);
    if (drawn < limit) return from + (drawn % range);
  }
}

Object.assign(crypto, { randomBytes, randomUUID, randomInt });
globalThis.crypto.randomUUID = randomUUID;
syncBuiltinESMExports();
