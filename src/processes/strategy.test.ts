import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tries } from '../../tests/property/soak.ts';
import {
  type Action,
  type Event,
  emptyWorld,
  type GroupSpec,
  type MemberSpec,
  pauseMs,
  type State,
  type Strategy,
  step,
  type World,
} from './strategy.ts';

/** Processes that do what the strategy says: all that it asks for waits in `todo` until it is let happen. */
class Machine {
  world: World = emptyWorld;
  now = 0;
  readonly running = new Set<string>();
  readonly started: string[] = [];
  readonly stopped: string[] = [];
  readonly failed: string[] = [];
  todo: Event[] = [];

  send(event: Event): void {
    const { world, actions } = step(this.world, event, this.now);
    this.world = world;
    for (const action of actions) this.#do(action);
  }
  #do(action: Action): void {
    const { id } = action;
    if (action.kind === 'start') {
      assert.ok(!this.running.has(id), `${id} is started while it runs`);
      this.running.add(id);
      this.started.push(id);
      this.todo.push({ kind: 'up', id, said: true });
    } else if (action.kind === 'stop') {
      assert.ok(this.running.has(id), `${id} is stopped though it does not run`);
      this.stopped.push(id);
      this.todo.push({ kind: 'ended', id, clean: true, ranMs: 1 });
    } else if (action.kind === 'pause') this.todo.push({ kind: 'paused', id });
    else this.failed.push(id);
  }
  /** Lets the nth of what waits happen. */
  happen(n: number): void {
    const [event] = this.todo.splice(n % this.todo.length, 1);
    if (!event) return;
    if (event.kind === 'ended') this.end(event.id, event.clean);
    else this.send(event);
  }
  end(id: string, clean: boolean, ranMs = 1): void {
    if (!this.running.delete(id)) return;
    this.send({ kind: 'ended', id, clean, ranMs });
  }
  settle(): void {
    for (let n = 0; this.todo.length > 0; n++) {
      assert.ok(n < 10_000, 'it never comes to rest');
      this.happen(0);
    }
  }
  add(id: string, more: Partial<MemberSpec> = {}): void {
    this.send({ kind: 'add', spec: { id, policy: 'permanent', after: [], tries: 10, soundAfterMs: 30_000, ...more } });
  }
  define(id: string, strategy: Strategy, more: Partial<GroupSpec> = {}): void {
    this.send({ kind: 'define', spec: { id, strategy, restarts: 1000, withinMs: 1000, ...more } });
  }
  state(id: string): State | undefined {
    return this.world.members.get(id)?.state;
  }
  forgetPast(): void {
    this.started.length = 0;
    this.stopped.length = 0;
  }
}
function family(strategy: Strategy, more: Partial<GroupSpec> = {}): Machine {
  const m = new Machine();
  m.define('g', strategy, more);
  for (const id of ['a', 'b', 'c']) m.add(id, { group: 'g' });
  m.settle();
  m.forgetPast();
  return m;
}

test('one for one: only the one that ended is started again', () => {
  const m = family('one-for-one');
  m.end('b', false);
  m.settle();
  assert.deepEqual([m.stopped, m.started], [[], ['b']]);
});

test('all for one: the others are stopped, last first, and all start in order', () => {
  const m = family('all-for-one');
  m.end('b', false);
  m.settle();
  assert.deepEqual(
    [m.stopped, m.started],
    [
      ['c', 'a'],
      ['a', 'b', 'c'],
    ],
  );
});

test('rest for one: those after it are stopped and started after it', () => {
  const m = family('rest-for-one');
  m.end('b', false);
  m.settle();
  assert.deepEqual([m.stopped, m.started], [['c'], ['b', 'c']]);
});

test('policies: always, after a failure, never', () => {
  for (const [policy, clean, state] of [
    ['permanent', true, 'up'],
    ['permanent', false, 'up'],
    ['transient', true, 'ended'],
    ['transient', false, 'up'],
    ['temporary', true, 'ended'],
    ['temporary', false, 'ended'],
  ] as const) {
    const m = new Machine();
    m.add('a', { policy });
    m.settle();
    m.end('a', clean);
    m.settle();
    assert.equal(m.state('a'), state, `${policy} ${clean}`);
  }
});

test('a child waits for those that it needs, and is not touched when they end later', () => {
  const m = new Machine();
  m.add('web', { after: ['db'] });
  assert.equal(m.state('web'), 'waiting');
  m.add('db');
  assert.equal(m.state('web'), 'waiting');
  m.settle();
  assert.deepEqual([m.started, m.state('web')], [['db', 'web'], 'up']);
  m.end('db', false);
  m.end('web', false);
  m.send({ kind: 'paused', id: 'web' });
  assert.equal(m.state('web'), 'waiting');
  m.settle();
  assert.equal(m.state('web'), 'up');
});

test('a child that never comes up is given up after its tries; one that comes up is not', () => {
  const m = new Machine();
  m.add('a', { tries: 3 });
  for (let n = 1; n <= 3; n++) {
    m.end('a', false);
    assert.equal(m.state('a'), 'pausing');
    m.send({ kind: 'paused', id: 'a' });
  }
  m.end('a', false);
  assert.deepEqual([m.state('a'), m.failed], ['failed', ['a']]);
  m.todo = [];
  m.add('a', { tries: 3 });
  m.settle();
  for (let n = 0; n < 100; n++) {
    m.end('a', false);
    m.settle();
  }
  assert.deepEqual([m.state('a'), m.world.members.get('a')?.restarts], ['up', 100]);
});

test('a group that ends too often is given up as a whole, and not when its ends lie far apart', () => {
  const m = family('one-for-one', { restarts: 2, withinMs: 1000 });
  for (let n = 0; n < 20; n++) {
    m.now += 600;
    m.end('a', false);
    m.settle();
  }
  assert.equal(m.state('a'), 'up');
  m.now += 1;
  for (let n = 0; n < 2; n++) {
    m.end('a', false);
    m.settle();
  }
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => m.state(id)),
    ['failed', 'failed', 'failed'],
  );
  assert.equal(m.running.size, 0);
  assert.deepEqual(m.failed.sort(), ['a', 'b', 'c']);
});

test('a group below another is started again as a whole before that one gives up', () => {
  const m = new Machine();
  m.define('top', 'one-for-one', { restarts: 1, withinMs: 1000 });
  m.define('low', 'one-for-one', { restarts: 0, withinMs: 1000, parent: 'top' });
  for (const id of ['a', 'b']) m.add(id, { group: 'low' });
  m.add('c', { group: 'top' });
  m.settle();
  m.forgetPast();
  m.end('a', false);
  m.settle();
  assert.deepEqual([m.stopped, m.started.sort(), m.state('c')], [['b'], ['a', 'b'], 'up']);
  m.end('b', false);
  m.settle();
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => m.state(id)),
    ['failed', 'failed', 'failed'],
  );
});

test('a child that was killed after it ran for a while begins with the shortest pause', () => {
  const m = new Machine();
  m.add('a', { tries: 1, soundAfterMs: 1000 });
  for (let n = 0; n < 50; n++) {
    m.end('a', false, 1000);
    m.send({ kind: 'paused', id: 'a' });
  }
  assert.equal(m.world.members.get('a')?.unsound, 0);
  m.end('a', false, 999);
  assert.equal(m.state('a'), 'pausing');
  m.send({ kind: 'paused', id: 'a' });
  m.end('a', false, 999);
  assert.equal(m.state('a'), 'failed');
});

test('pauses double from 0.1 s to 30 s', () => {
  assert.deepEqual([0, 1, 2, 3, 9, 10, 1000].map(pauseMs), [10, 100, 200, 400, 25_600, 30_000, 30_000]);
});

const ids = ['a', 'b', 'c', 'd', 'e'];
const strategies = fc.constantFrom<Strategy>('one-for-one', 'all-for-one', 'rest-for-one');
const policies = fc.constantFrom('permanent' as const, 'transient' as const, 'temporary' as const);
const house = fc.record({
  top: strategies,
  low: strategies,
  restarts: fc.integer({ min: 0, max: 6 }),
  members: fc.array(
    fc.record({ group: fc.constantFrom('top', 'low', undefined), policy: policies, needs: fc.nat(7) }),
    {
      minLength: 1,
      maxLength: ids.length,
    },
  ),
});
const happenings = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('happen' as const), n: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('end' as const), n: fc.nat(4), clean: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), n: fc.nat(4) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(3000) }) },
  ),
  { maxLength: 60 },
);

test('whatever ends when: nobody runs twice, the stopped stay so, and in the end all that should be up is', () => {
  const property = fc.property(house, happenings, ({ top, low, restarts, members }, program) => {
    const m = new Machine();
    m.define('top', top, { restarts: restarts + 2 });
    m.define('low', low, { restarts, parent: 'top' });
    const asked = new Set<string>();
    members.forEach(({ group, policy, needs }, i) => {
      // Only earlier ones: a circle would wait for ever.
      const after = needs < i ? [ids[needs]!] : [];
      m.add(ids[i]!, { policy, group, after, tries: 4 });
    });
    for (const each of program) {
      if (each.kind === 'happen' && m.todo.length > 0) m.happen(each.n);
      else if (each.kind === 'wait') m.now += each.ms;
      else if (each.kind === 'end') m.end(ids[each.n]!, each.clean);
      else if (each.kind === 'stop') stopOne(m, ids[each.n]!, asked);
    }
    m.settle();
    for (const [id, { state, spec }] of m.world.members) {
      assert.equal(m.running.has(id), state === 'up', `${id} is ${state}`);
      if (asked.has(id)) assert.ok(state === 'ended' || state === 'failed', `${id} was stopped and is ${state}`);
      else if (spec.policy === 'permanent' && state !== 'up') atRestForAReason(m, id);
      assert.ok(spec.policy !== 'temporary' || m.started.filter((s) => s === id).length <= 1);
    }
  });
  fc.assert(property, tries({ seed: 45, numRuns: 500 }));
});
function stopOne(m: Machine, id: string, asked: Set<string>): void {
  if (!m.world.members.has(id)) return;
  asked.add(id);
  m.send({ kind: 'stop', id });
  m.todo = m.todo.filter((e) => e.kind === 'ended' || !('id' in e) || e.id !== id);
  if (m.running.has(id) && !m.todo.some((e) => e.kind === 'ended' && e.id === id))
    m.todo.push({ kind: 'ended', id, clean: true, ranMs: 1 });
}
/** It was given up, or waits for one that is not up. */
function atRestForAReason(m: Machine, id: string): void {
  const { state, spec } = m.world.members.get(id)!;
  if (m.failed.includes(id) && state === 'failed') return;
  assert.equal(state, 'waiting', id);
  const missing = spec.after.some((needed) => m.state(needed) !== 'up');
  const earlier = [...m.world.members.values()].some(
    (other) => other.state === 'waiting' && other.spec.id < id && other.spec.group,
  );
  assert.ok(missing || earlier, `${id} waits for nothing`);
}
