/** What a start of the house does to VMs that nobody touched meanwhile: nothing; and to those that somebody did. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testHouse } from './house.ts';

test('halted VMs come through a restart without a write; a description that differs follows the records or is taken over', async () => {
  await using h = await testHouse();
  const root = <T>(method: string, ...params: unknown[]) => h.house.root(method, ...params) as Promise<T>;
  const [template] = await root<string[]>('VM.get_by_name_label', 'Other install media');
  const make = async (name: string) => {
    const vm = await root<string>('VM.clone', template, name);
    await root('VM.provision', vm);
    return vm;
  };
  const [still, ours, theirs] = [await make('still'), await make('ours'), await make('theirs')];
  const specOf = async (vm: string) => (await h.house.xenops.vm.stat({ id: await root('VM.get_uuid', vm) })).spec;
  const rows = async (vm: string) => {
    const record = await root<{ metrics: string }>('VM.get_record', vm);
    return [record, await root('VM_metrics.get_record', record.metrics)];
  };
  const before = await rows(still);
  const described = await specOf(still);

  // A push that a crash swallowed: the domain manager has what the records said before.
  const old = await specOf(ours);
  await root('VM.set_name_label', ours, 'ours, renamed');
  await h.house.xenops.vm.add(old);
  // Another door: no mark of ours fits the new content.
  await h.house.xenops.vm.add({ ...(await specOf(theirs)), name: 'theirs, renamed' });
  await h.restart();

  assert.deepEqual(await rows(still), before);
  assert.deepEqual(await specOf(still), described);
  assert.equal(await root('VM.get_name_label', ours), 'ours, renamed');
  assert.equal((await specOf(ours)).name, 'ours, renamed');
  assert.equal(await root('VM.get_name_label', theirs), 'theirs, renamed');
});
