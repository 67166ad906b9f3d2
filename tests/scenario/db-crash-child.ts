/** Writes to the database at argv[2] until it is killed, and prints the number of each write once it is durable. */
import { systemClock } from '../../src/base/clock.ts';
import { randomIds } from '../../src/base/ids.ts';
import { silentLog } from '../../src/base/log.ts';
import { classes, schemaVersion } from '../../src/datamodel/index.ts';
import { openDb } from '../../src/db/memory-db.ts';
import { openSqliteStore } from '../../src/store/sqlite.ts';

const [, , path = '', first = '0'] = process.argv;
const none = () => Buffer.alloc(0);
const db = await openDb({
  store: await openSqliteStore({ path, log: silentLog, schema: schemaVersion }),
  ...{ classes, clock: systemClock, ids: randomIds, log: silentLog, encode: { xml: none, json: none } },
});
const vms = ['OpaqueRef:a', 'OpaqueRef:b', 'OpaqueRef:c'];
for (const ref of vms) if (!db.has('VM', ref)) db.create('VM', { name_label: ref }, ref);
let next = Number(first);

/** One write over several classes: the VMs move on together, a VBD and its VIF come, an old VBD and its VIF go. */
async function writer(): Promise<void> {
  for (;;) {
    const n = next++;
    db.write((w) => {
      for (const VM of vms) w.set('VM', VM, { name_description: `${n}` });
      w.create('VBD', { VM: vms[n % 3], device: `${n}` }, `OpaqueRef:vbd${n}`);
      w.create('VIF', { VM: vms[n % 3], device: `${n}` }, `OpaqueRef:vif${n}`);
      w.destroy('VBD', `OpaqueRef:vbd${n - 50}`);
      w.destroy('VIF', `OpaqueRef:vif${n - 50}`);
    });
    await db.durable();
    process.stdout.write(`${n}\n`);
  }
}
await Promise.all([writer(), writer(), writer(), writer()]);
