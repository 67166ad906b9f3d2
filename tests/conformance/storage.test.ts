import { describeStorageDriver } from './storage-driver.ts';

describeStorageDriver({ type: 'file', without: {} });
describeStorageDriver({
  type: 'iso',
  without: { resize: 'ISO files are read-only', snapshot: 'ISO files are read-only' },
});
