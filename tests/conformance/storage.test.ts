import { describeStorageDriver } from './storage-driver.ts';

describeStorageDriver({ type: 'file', without: {} });
for (const format of ['raw', 'vhd'])
  describeStorageDriver({
    type: 'file',
    config: { format },
    without: { merge: `a base that is ${format} stays below its disk` },
  });
describeStorageDriver({
  type: 'iso',
  without: { resize: 'ISO files are read-only', snapshot: 'ISO files are read-only' },
});
