import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseBusAddress } from '../wire/dbus/address.ts';
import { explain } from './explain.ts';
import { parseOptions } from './options.ts';
import { parseQuestion } from './question.ts';
import { parseRules } from './rules.ts';

const uuid = '11111111-2222-3333-4444-555555555551';

describe('rpc-broker: options', () => {
  test('both originals’ spellings', () => {
    const o = parseOptions([
      '-i',
      'unix:/a',
      '--listen-channel',
      `tcp:5555,domid=0,uuid=${uuid.toUpperCase()},stubdom=true`,
      '-d',
      '7',
      '-f',
      'unix:/b c',
      '-p',
      'R',
      '-n',
      'N',
      '-w',
      '-v',
      '-s',
      '-u',
      '--translate-anonymous-dests',
      '--limit',
      'connections=3',
    ]);
    assert.deepEqual(
      o.channels.map(({ at, domid, uuid: id, stubdom }) => [at, domid, id, stubdom]),
      [
        [{ path: '/a' }, 7, undefined, undefined],
        [{ host: '127.0.0.1', port: 5555 }, 0, uuid, true],
      ],
    );
    assert.deepEqual(
      [o.bus, o.rules, o.requestName, o.limits.connections, o.limits.matchRules],
      ['unix:path=/b%20c', 'R', 'N', 3, 256],
    );
    assert.deepEqual(parseBusAddress(String(o.bus)), { path: '/b c' });
    assert.deepEqual([o.on['no-firewall'], o.on.verbose, o.on.uuid, o.on.strict], [true, true, true, false]);
  });
  const refused: readonly [string[], RegExp][] = [
    [['-l', 'unix:/a'], /whose it is must be said/],
    [['-l', 'unix:/a,domid=x'], /domid=x is no domain/],
    [['-l', 'unix:/a,domid=1,uuid=x'], /uuid=x is no uuid/],
    [['-l', 'unix:/a,domid=1,stubdom=1'], /stubdom=1 is neither/],
    [['-l', 'unix:/a,domid=1,mode=1'], /no setting "mode"/],
    [['-l', 'tcp:10.0.0.1:5,domid=1'], /nothing can be listened on/],
    [['-l', 'v4v:5555,domid=1'], /nothing can be listened on/],
    [['-b', 'nowhere'], /the bus nowhere/],
    [['--vm-facts', 'maybe'], /one of bus, none/],
    [['--limit', 'speed=1'], /NAME one of messageBytes/],
    [['--limit', 'connections=0'], /N of 1 or more/],
    [['stray'], /belongs to no option/],
    [['--json-in'], /Unknown option/],
  ];
  for (const [argv, why] of refused)
    test(`refused: ${argv.join(' ')}`, () => assert.throws(() => parseOptions(argv), why));
});
test('addresses of buses', () => {
  assert.deepEqual(parseBusAddress('unix:abstract=x,guid=1;tcp:port=1'), { path: '\0x' });
  assert.deepEqual(parseBusAddress('tcp:host=h,port=5'), { host: 'h', port: 5 });
  for (const bad of ['', 'unix:', 'unix:path', 'unix:path=%zz', 'tcp:host=h', 'launchd:env=X'])
    assert.throws(() => parseBusAddress(bad), /bus address/, bad);
});
describe('--explain', () => {
  const rules = parseRules(
    'f',
    'deny all\nallow destination a.b interface a.b.I\nallow stubdom true\nallow dom-id 7\nallow if-boolean p true\nallow inc-signal\nallow out-any',
  );
  const asked = (...words: string[]) => explain(parseQuestion(words, rules));
  test('the rule that decided, and why no later one did', () => {
    assert.deepEqual(asked('destination=a.b', 'interface=a.b.J', `uuid=${uuid}`, 'property.p=false'), [
      'deny: f:1: deny all',
      '  f:7: allow out-any: it is about outgoing messages',
      '  f:6: allow inc-signal: it is about a signal',
      "  f:5: allow if-boolean p true: the VM's p is false",
      "  f:4: allow dom-id 7: the source's dom-id is 1",
      '  f:3: allow stubdom true: the source is no stub domain',
      '  f:2: allow destination a.b interface a.b.I: the interface is a.b.J',
    ]);
    const about = asked('destination=a.b', 'interface=org.freedesktop.DBus.Properties', 'member=Get', 'arg0=a.b.I');
    assert.equal(about[0], 'allow: f:2: allow destination a.b interface a.b.I');
    assert.equal(asked('domid=0')[0], 'allow: messages of domain 0 are not filtered');
    assert.match(
      String(asked('vm-rule=deny member M', `uuid=${uuid}`, 'type=signal', 'member=M')[0]),
      /^deny: vm-rule:1: deny member M$/,
    );
  });
  test('what cannot be asked', () => {
    assert.throws(() => asked('colour=red'), /KEY one of type/);
    assert.throws(() => asked('type=shout'), /one of method-call/);
    assert.throws(() => asked('vm-rule=deny all'), /uuid=UUID is missing/);
    assert.throws(() => asked('domid=x'), /domain's number/);
  });
});
