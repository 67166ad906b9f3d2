/** npm `xen-api`, unchanged: connects, fetches every class, follows events, runs asynchronous calls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'xen-api';
import { vmHandlersFor } from './api-fakes.ts';
import { apiHouse, type Loose, password } from './api-house.ts';

for (const transport of ['json-rpc', 'xml-rpc', 'auto'])
  test(`xen-api over ${transport}`, async () => {
    await using h = await apiHouse({ handlers: vmHandlersFor() });
    const vm = h.db.create('VM', { name_label: 'one' });
    const xapi: Loose = createClient({
      url: h.url,
      auth: { user: 'root', password },
      transport,
      debounce: 0,
      // A poll that the end of the house cuts off is not tried again for a minute otherwise.
      eventPollDelay: 100,
    });
    await using _ = { [Symbol.asyncDispose]: () => xapi.disconnect() };
    await xapi.connect();
    await xapi.objectsFetched;
    assert.equal(xapi.getObject(vm).name_label, 'one');
    assert.equal(xapi.pool.name_label, 'home');

    const changed = new Promise<void>((resolve) => {
      xapi.objects.on('update', (objects: Loose) => {
        if (Object.values(objects).some((o: Loose) => o?.name_label === 'two')) resolve();
      });
    });
    await xapi.call('VM.set_name_label', vm, 'two');
    await changed;

    assert.equal(await xapi.callAsync('VM.clone', vm, 'three'), vm);
    await assert.rejects(xapi.callAsync('VM.start', vm, false, false), { code: 'VM_BAD_POWER_STATE' });
    await xapi.barrier();
    await xapi.setFieldEntry('pool', xapi.pool.$ref, 'other_config', 'key', 'value');
    assert.equal(h.db.get('pool', h.house.pool).other_config['key'], 'value');
  });
