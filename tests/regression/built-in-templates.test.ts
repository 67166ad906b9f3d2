/** Clients that make disks themselves take a built-in template's `disks` away first; they know it by other_config:default_template. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { diskHouse } from '../scenario/disk-house.ts';

test('built-in templates say so in other_config; what is made from them does not', async () => {
  await using h = await diskHouse();
  for (const name of ['Tiny Linux', 'Other install media']) {
    const [template] = await h.root<string[]>('VM.get_by_name_label', name);
    const { other_config } = await h.root<Rec<'VM'>>('VM.get_record', template);
    assert.equal(other_config['default_template'], 'true', name);
    for (const made of [await h.root('VM.clone', template, 'a'), await h.root('VM.copy', template, 'b', '')]) {
      const copied = (await h.root<Rec<'VM'>>('VM.get_record', made)).other_config;
      assert.equal(copied['default_template'], undefined, name);
      assert.equal(copied['disks'], other_config['disks'], name);
    }
  }
});
