import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { seededIds } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import { classes } from '../datamodel/index.ts';
import { openDb } from '../db/memory-db.ts';
import { hostCertificate, syncCertificate } from './certificate.ts';
import { ensureCertificate } from './tls.ts';

const nowhere: Parameters<typeof openDb>[0]['store'] = {
  // biome-ignore lint/correctness/useYield: an empty store
  async *load() {
    return;
  },
  tables: async () => [],
  commit: async () => undefined,
  revision: async () => 0,
  close: async () => undefined,
};

test('the record of the certificate follows the file', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'gh-cert-'));
  try {
    const encode = { xml: () => Buffer.alloc(0), json: () => Buffer.alloc(0) };
    const db = await openDb({ store: nowhere, classes, clock: systemClock, ids: seededIds(), log: silentLog, encode });
    const host = db.create('host', {});
    const parts = { db, host, dataDir };
    await syncCertificate(parts);
    assert.equal(await hostCertificate(dataDir), undefined);
    assert.equal(db.count('Certificate'), 0);

    await ensureCertificate(join(dataDir, 'tls'), ['localhost'], systemClock.now());
    await syncCertificate(parts);
    const [first] = db.where('Certificate', 'host', host);
    const record = db.get('Certificate', first as string);
    assert.match(record.fingerprint_sha256, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    assert.match(record.not_after, /^\d{8}T\d{6}Z$|^\d{8}T\d\d:\d\d:\d\dZ$/);
    await syncCertificate(parts);
    assert.deepEqual(db.where('Certificate', 'host', host), [first]);
    rmSync(join(dataDir, 'tls'), { recursive: true });
    await syncCertificate(parts);
    assert.equal(db.count('Certificate'), 0);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});
