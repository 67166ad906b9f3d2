/** What lists and records look like, against `tests/golden/xe`. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import type { Outcome } from './fake-server.ts';
import { fakeWorld, uuid, type World } from './fake-world.ts';

const golden = join(import.meta.dirname, '..', '..', '..', 'tests', 'golden', 'xe');

/** Compares with `tests/golden/xe/NAME.txt`; `UPDATE_GOLDEN=1` writes it. */
function matchesGolden(name: string, outcome: Outcome): void {
  const text = [
    outcome.stdout,
    outcome.stderr === '' ? '' : `--- stderr\n${outcome.stderr}`,
    outcome.code === 0 ? '' : `--- exit ${outcome.code}\n`,
  ].join('');
  const file = join(golden, `${name}.txt`);
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(golden, { recursive: true });
    writeFileSync(file, text);
  }
  assert.equal(text, readFileSync(file, 'utf8'), `${name}: differs from ${file}`);
}

let w: World;
const world = () => {
  w = fakeWorld();
};
const xe: World['xe'] = (line, answers) => w.xe(line, answers);

describe('lists and records', () => {
  before(world);
  const cases: Record<string, string[]> = {
    'vm-list': ['vm-list'],
    'vm-list-minimal': ['vm-list', 'params=tags', '--minimal'],
    'vm-list-filters': [
      'vm-list',
      'power-state=running',
      'is-control-domain=false',
      'tags:contains=blue',
      'other-config:folder=/a',
    ],
    'vm-list-params': [
      'vm-list',
      'params=power-state,name-label,networks,current-operations,allowed-VBD-devices',
      'name-label=web',
    ],
    'vm-list-json': [
      'vm-list',
      'params=uuid,name-label,dom-id,tags,other-config,resident-on,affinity',
      'name-label=web',
      '--json',
    ],
    'vm-list-unknown-field': ['vm-list', 'power-sate=running'],
    'vm-param-list': ['vm-param-list', `uuid=${uuid(0x9)}`],
    'template-list': ['template-list'],
    'sr-list': ['sr-list'],
    'vdi-list': ['vdi-list'],
    'vbd-list': ['vbd-list', 'params=all'],
    'vif-list': ['vif-list'],
    'network-list': ['network-list'],
    'host-list': ['host-list'],
    'pool-list': ['pool-list'],
    'pbd-list': ['pbd-list'],
    'console-list': ['console-list'],
    'cd-list': ['cd-list'],
    'vm-disk-list': ['vm-disk-list', 'vm=web'],
    'vm-cd-list': ['vm-cd-list', 'vm=web'],
    'vm-vif-list': ['vm-vif-list', 'vm=web'],
    help: ['help'],
    'help-command': ['help', 'vm-disk-add'],
    'help-family': ['help', 'network-param-set'],
  };
  for (const [name, line] of Object.entries(cases)) test(name, async () => matchesGolden(name, await xe(line)));

  test('one field, one key', async () => {
    const web = w.uuidOf('VM', 'OpaqueRef:web');
    const get = async (...rest: string[]) => (await xe(['vm-param-get', `uuid=${web}`, ...rest])).stdout;
    assert.equal(await get('param-name=networks'), '0/ip: 10.0.0.2\n');
    assert.equal(await get('param-name=networks', 'param-key=0/ip'), '10.0.0.2\n');
    assert.equal(await get('param-name=memory-actual', '--json'), '268435456\n');
    assert.equal(await get('param-name=power-state'), 'running\n');
    assert.match((await xe(['vm-param-get', `uuid=${web}`, 'param-name=tags', 'param-key=a'])).stderr, /no map/);
  });
});
