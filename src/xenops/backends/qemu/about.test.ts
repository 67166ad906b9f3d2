import assert from 'node:assert/strict';
import test from 'node:test';
import { checkedAbout } from './about.ts';

const about = () => ({
  version: 1,
  guest: '00000000-0000-4000-8000-000000000001',
  spec: {
    id: '00000000-0000-4000-8000-000000000001',
    memory: { staticMax: 1, dynamicMax: 1, dynamicMin: 1 },
    vcpus: { max: 2, current: 1 },
  },
  startedAt: 1,
  vcpus: 1,
  memoryTarget: 1,
  machine: {
    ...{ type: 'pc', version: '7.2', accelerator: 'tcg', vga: 'none', diskBus: 'virtio', nicModel: 'virtio' },
    diskQueues: 2,
  },
  drives: [{ device: 'drive0', slot: 0, connector: -1, block: false, spec: { id: 'd', position: 0 } }],
  nics: [{ device: 'nic0', slot: 1, spec: { id: 'n', position: 0 } }],
});
type About = ReturnType<typeof about>;

test('what a sender says of a guest is checked before it becomes options of QEMU', () => {
  const change = (f: (a: About) => void) => {
    const one = about();
    f(one);
    return JSON.stringify(one);
  };
  assert.deepEqual(checkedAbout(change(() => undefined)) as unknown, about());
  const bad: [RegExp, string][] = [
    [/JSON/, '{'],
    [/guest\.vcpus/, 'null'],
    [/another version/, change((a) => Object.assign(a, { version: 2 }))],
    [/guest\.guest/, change((a) => Object.assign(a, { guest: 'x,y' }))],
    [/machine\.version/, change((a) => Object.assign(a.machine, { version: '7.2,kernel=/etc/shadow' }))],
    [/machine\.diskQueues/, change((a) => Object.assign(a.machine, { diskQueues: 1e6 }))],
    [/drives\[0\]\.device/, change((a) => Object.assign(a.drives[0] as object, { device: 'drive0,file=/etc/shadow' }))],
    [/drives\[0\]\.connector/, change((a) => Object.assign(a.drives[0] as object, { connector: 999 }))],
    [/nics\[0\]\.spec\.id/, change((a) => Object.assign(a.nics[0] as object, { spec: null }))],
    [/nics: a list/, change((a) => Object.assign(a, { nics: new Array(300).fill(a.nics[0]) }))],
    [/memory\.staticMax/, change((a) => Object.assign(a.spec.memory, { staticMax: -1 }))],
  ];
  for (const [why, text] of bad) assert.throws(() => checkedAbout(text), why, text);
});
