/** What is refused, and how the door stands what is thrown at it. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { tries } from '../../../tests/property/soak.ts';
import { ManualClock } from '../../base/clock.ts';
import { silentLog } from '../../base/log.ts';
import { fail } from '../../datamodel/errors.ts';
import { xeDoor } from './door.ts';
import { duplexPair } from './fake-server.ts';
import { fakeWorld, uuid, type World } from './fake-world.ts';

let w: World;
const world = () => {
  w = fakeWorld();
};
const xe: World['xe'] = (line, answers) => w.xe(line, answers);

describe('refusals', () => {
  before(world);
  const cases: [string, string[], RegExp][] = [
    ['no such command', ['vm-strat'], /There is no command "vm-strat"; did you mean vm-start/],
    ['missing parameter', ['vbd-create', 'device=0'], /Missing parameter: vm-uuid=/],
    [
      'unknown parameter',
      ['network-create', 'name-label=x', 'brigde=y'],
      /no parameter "brigde"; did you mean bridge\?/,
    ],
    ['no such object', ['vm-param-list', 'uuid=nope'], /\(UUID_INVALID\)\ntype: VM\nuuid: nope\n/],
    ['nothing selected', ['vm-start', 'vm=nope'], /No matching VM found\nvm: nope/],
    ['several selected', ['vm-start', 'vm=db'], /2 objects match: .*Name one VM with vm=, or add --multiple/],
    [
      'bad number',
      ['vm-memory-set', 'vm=web', 'memory=lots'],
      /memory is "lots"; it must be a whole number, such as 4096 or 4GiB/,
    ],
    [
      'large number',
      ['vm-memory-set', 'vm=web', 'memory=9000TiB'],
      /memory is "9000TiB"; it is too large: at most 9007199254740991/,
    ],
    ['bad enum', ['vm-param-set', `uuid=${uuid(0x9)}`, 'actions-after-crash=explode'], /must be one of destroy/],
    ['read-only field', ['vm-param-set', `uuid=${uuid(0x9)}`, 'dom-id=1'], /dom-id cannot be set/],
    ['not available', ['update-upload', 'file-name=x'], /update-upload is not available in this version/],
    ['stray word', ['vm-start', 'web'], /"web" is neither name=value nor --flag; did you mean vm=web\?/],
    [
      'stray word of a list',
      ['vm-list', 'power-state'],
      /"power-state" is neither .*; a filter is NAME=VALUE, and params=/,
    ],
    ['stray word after no command', ['start', 'web'], /There is no command "start"/],
    ['no such field', ['vm-list', 'foo=bar'], /no field "foo" here; a list with params=all shows its \d+ fields\n/],
    [
      'a name where a uuid is due',
      ['vm-destroy', 'vm=web'],
      /Missing parameter: uuid= \(vm-destroy needs uuid, and does not take vm\)/,
    ],
    ['no force', ['vm-reset-powerstate', 'vm=web'], /Add --force/],
  ];
  for (const [what, line, text] of cases)
    test(what, async () => {
      const { stderr, code, stdout } = await xe(line);
      assert.match(stderr, text);
      assert.deepEqual([code, stdout], [1, '']);
    });

  test('no command at all is a question', async () => {
    const { stdout, code } = await xe([]);
    assert.match(stdout, /^Usage: xe COMMAND/);
    assert.equal(code, 0);
  });

  test('a message without an implementation says so in one line', async () => {
    world();
    w.host.on('VM.pause', () => {
      throw fail('NOT_IMPLEMENTED', { function: 'VM.pause' });
    });
    const { stderr, code } = await xe(['vm-pause', 'vm=web']);
    assert.deepEqual([stderr, code], ['Error: this server does not have VM.pause yet\n', 1]);
  });

  test('parameters of errors that are references are shown as uuid and name', async () => {
    world();
    w.host.on('VM.start', (vm) => {
      throw fail('VM_BAD_POWER_STATE', { vm: String(vm), expected: 'halted', actual: 'running' });
    });
    const { stderr } = await xe(['vm-start', 'vm=web']);
    assert.ok(stderr.endsWith(`vm: ${uuid(0x9)} (web)\nexpected: halted\nactual: running\n`), stderr);
    // A device may be of several classes, and references may come in the plural.
    w.host.on('VM.start', () => {
      throw fail('DEVICE_ALREADY_ATTACHED', { device: 'OpaqueRef:vif' });
    });
    assert.match((await xe(['vm-start', 'vm=web'])).stderr, /\ndevice: [0-9a-f-]{36} \(VIF\)\n$/);
    w.host.on('VM.start', () => {
      throw fail('NETWORK_CONTAINS_VIF', { vifs: 'OpaqueRef:vif' });
    });
    assert.match((await xe(['vm-start', 'vm=web'])).stderr, /\nvifs: [0-9a-f-]{36} \(VIF\)\n$/);
  });

  test('passwords: a wrong one is refused, the right one logs in and out', async () => {
    world();
    const wrong = await xe(['vm-list'], { login: ['username=root', 'password=wrong'], local: false });
    assert.match(wrong.stderr, /SESSION_AUTHENTICATION_FAILED/);
    assert.equal(wrong.code, 1);
    const right = await xe(['vm-list', '--minimal'], { login: ['username=root', 'password=secret'], local: false });
    assert.equal(right.code, 0);
    assert.deepEqual(w.host.calls.at(-1), ['session.logout']);
    const none = await xe(['vm-list'], { local: false });
    assert.equal(none.code, 1);
  });

  test('whatever is posted ends with an exit of 0 or 1', async () => {
    const names = [
      'vm-list',
      'vm-start',
      'vm-param-set',
      'vm-param-add',
      'sr-create',
      'bond-create',
      'vdi-create',
      'help',
      'vm-disk-list',
    ];
    const word = fc.oneof(
      fc.constantFrom(
        'vm=web',
        `uuid=${uuid(9)}`,
        'params=all',
        '--json',
        '--minimal',
        '--multiple',
        'param-name=tags',
        'type=x',
        'name-label=n',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('__proto__=1', 'constructor=1', 'other-config:__proto__=1', '=', ':', '--', 'a:b:c=d=e'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.array(word, { maxLength: 6 }), async (name, words) => {
        world();
        const { code } = await xe([name, ...words], { lines: ['yes'] });
        assert.ok(code === 0 || code === 1);
      }),
      tries({ seed: 13, numRuns: 150 }),
    );
  });

  test('a client that does not greet in time, or talks nonsense, is closed', async () => {
    const clock = new ManualClock();
    const idle = xeDoor({ connect: () => assert.fail(), log: silentLog, version: '0', clock });
    const body = Buffer.from('vm-list\n');
    const [near, far] = duplexPair();
    const late = idle.handle(far, Buffer.alloc(0), body, { local: true });
    await clock.advance(29_999);
    assert.ok(!far.destroyed);
    await clock.advance(1);
    await late;
    assert.ok(far.destroyed);
    near.destroy();
    const [client, host] = duplexPair();
    const ended = idle.handle(host, Buffer.alloc(0), body, { local: true });
    client.write('GET / HTTP/1.1\r\nhost: somewhere.example\r\n\r\n');
    await ended;
    assert.ok(host.writableEnded);
  });
});
