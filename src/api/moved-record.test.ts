import assert from 'node:assert/strict';
import test from 'node:test';
import { logTo } from '../base/log.ts';
import type { VmSpec } from '../contracts/xenops.ts';
import { movedFields, movedNote } from './moved-record.ts';

const specWith = (text: string) => ({ id: 'a', notes: { [movedNote]: text } }) as unknown as VmSpec;
function read(text: string) {
  const said: string[] = [];
  const fields = movedFields(
    specWith(text),
    logTo((_, message) => said.push(message)),
  );
  return { fields, said };
}

test('fields that a client could have set come along, no others', () => {
  const { fields, said } = read(
    JSON.stringify({
      VM: { name_description: 'x', tags: ['a'], power_state: 'Running', uuid: 'u', affinity: 'OpaqueRef:h', new: 1 },
      VBD: { disk0: { other_config: { owner: '' }, VDI: 'OpaqueRef:v' } },
      VIF: {},
    }),
  );
  assert.deepEqual(fields.vm, { name_description: 'x', tags: ['a'] });
  assert.deepEqual(
    [fields.vbd('disk0'), fields.vbd('cd'), fields.vif('vif0')],
    [{ other_config: { owner: '' } }, {}, {}],
  );
  assert.deepEqual(said, []);
});

test('what is not to be read is left out, and said', () => {
  for (const text of ['{', 'null', '{"VM":{"tags":7}}', '{"VBD":{"disk0":{"other_config":[]}}}']) {
    const { fields, said } = read(text);
    assert.deepEqual([fields.vm, fields.vbd('disk0'), said.length], [{}, {}, 1], text);
  }
  assert.deepEqual(movedFields({ id: 'a' } as VmSpec, logTo(assert.fail)).vm, {});
});
