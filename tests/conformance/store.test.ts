import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/base/log.ts';
import { emptyDisk, openMemoryStore } from '../../src/store/memory.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';
import { describeStore } from './store.ts';

describeStore('memory', {
  place: async () => emptyDisk(),
  open: async (disk) => openMemoryStore({ disk }),
  remove: async () => undefined,
});

describeStore('sqlite', {
  place: async () => join(mkdtempSync(join(tmpdir(), 'guesthouse-store-')), 'made', 'state.db'),
  open: (path) => openSqliteStore({ path, log: silentLog, schema: { major: 1, minor: 0 } }),
  remove: async (path) => rmSync(join(path, '..', '..'), { recursive: true }),
});
