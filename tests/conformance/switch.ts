/** What every message switch must do. Each implementation's test calls this with a way to make one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKind } from '../../src/contracts/contract.ts';
import type { Switch, SwitchSession } from '../../src/contracts/switch.ts';

export interface SwitchKind {
  /** A new, empty switch. */
  make(): Promise<{ switch: Switch; close(): Promise<void> }>;
}
const request = (payload: string, reply = 'me') => ({ payload, kind: { request: reply } });
const payloads = (t: { messages: readonly { message: { payload: string } }[] }) =>
  t.messages.map((m) => m.message.payload);

export function describeSwitch(name: string, kind: SwitchKind): void {
  const given = (title: string, f: (s: Switch, me: SwitchSession) => Promise<void>) =>
    test(title, async () => {
      const made = await kind.make();
      const me = await made.switch.login('me');
      try {
        await f(made.switch, me);
      } finally {
        await me.close();
        await made.close();
      }
    });
  const now = (s: SwitchSession, queues: string[], from?: string) => s.transfer({ queues, from, timeoutS: 0 });

  describe(`${name}: message switch`, () => {
    given('a message stays until it is acknowledged, and its order is kept', async (_, me) => {
      await me.create('q', 'persistent');
      const ids = [];
      for (const text of ['a', 'b', 'c']) ids.push(await me.send('q', request(text)));
      assert.deepEqual(ids, [
        ['q', 0],
        ['q', 1],
        ['q', 2],
      ]);
      const first = await now(me, ['q']);
      assert.deepEqual(payloads(first), ['a', 'b', 'c']);
      assert.deepEqual(payloads(await now(me, ['q'], first.next)), []);
      await me.ack(['q', 1]);
      await me.ack(['q', 1]);
      assert.deepEqual(payloads(await now(me, ['q'])), ['a', 'c']);
      assert.deepEqual((await now(me, ['q'])).messages[0]?.message.kind, { request: 'me' });
    });
    given('numbers of a queue are not used again', async (_, me) => {
      await me.create('q', 'persistent');
      await me.send('q', request('a'));
      await me.ack(['q', 0]);
      assert.deepEqual(await me.send('q', request('b')), ['q', 1]);
    });
    given('a message to a queue that is not there is dropped', async (_, me) => {
      assert.equal(await me.send('nowhere', request('a')), null);
    });
    given('creating and destroying may be repeated', async (_, me) => {
      await me.create('q', 'persistent');
      await me.send('q', request('a'));
      await me.create('q', 'persistent');
      assert.deepEqual(payloads(await now(me, ['q'])), ['a']);
      await me.destroy('q');
      await me.destroy('q');
      assert.deepEqual(await me.list(''), []);
    });
    given('a transfer waits for a message in any of its queues', async (s, me) => {
      await me.create('a', 'transient');
      await me.create('b', 'persistent');
      const waiting = me.transfer({ queues: ['a', 'b'], timeoutS: 60 });
      const other = await s.login('other');
      await other.send('b', request('hello', 'other'));
      assert.deepEqual(payloads(await waiting), ['hello']);
      const next = (await waiting).next;
      const again = me.transfer({ queues: ['a', 'b'], from: next, timeoutS: 60 });
      await other.send('a', { payload: 'answer', kind: { response: ['b', 0] } });
      assert.deepEqual((await again).messages[0]?.message, { payload: 'answer', kind: { response: ['b', 0] } });
      await other.close();
    });
    given('a transfer that finds nothing ends after its time, and goes on from where it was', async (_, me) => {
      await me.create('q', 'persistent');
      await me.send('q', request('a'));
      const { next } = await now(me, ['q']);
      const none = await me.transfer({ queues: ['q'], from: next, timeoutS: 0.01 });
      assert.deepEqual(none, { messages: [], next });
    });
    given('a transient queue goes with the last connection of its session', async (s, me) => {
      const [one, two] = [await s.login('token'), await s.login('token')];
      await one.create('gone', 'transient');
      await one.close();
      assert.deepEqual(await me.list('g'), ['gone']);
      await two.close();
      // Another process may take a moment to see it.
      while ((await me.list('g')).length > 0) await new Promise((resolve) => setImmediate(resolve));
    });
    given('names are listed by prefix; alive are those with a listener', async (s, me) => {
      for (const queue of ['org.a', 'org.b', 'com.c']) await me.create(queue, 'persistent');
      assert.deepEqual(await me.list('org.'), ['org.a', 'org.b']);
      assert.deepEqual(await me.list('org.', true), []);
      const other = await s.login('other');
      await other.transfer({ queues: ['org.b'], timeoutS: 0 });
      assert.deepEqual(await me.list('org.', true), ['org.b']);
      await other.close();
    });
    given('bad names and messages that are too large are refused', async (_, me) => {
      for (const queue of ['', 'a/b', 'line\nfeed', 'x'.repeat(256)])
        await assert.rejects(
          me.create(queue, 'persistent'),
          (e) => isKind(e, 'Bad_queue') || isKind(e, 'Switch_refused'),
        );
      await me.create('q', 'persistent');
      const large = request('x'.repeat(16 * 1024 * 1024 + 1));
      await assert.rejects(me.send('q', large), (e) =>
        ['Bad_message', 'Switch_refused', 'Switch_gone'].some((k) => isKind(e, k)),
      );
    });
    given('any text is a payload', async (_, me) => {
      await me.create('q', 'persistent');
      const text = 'ü "quotes" \\ \u0000 \u2028 {"a":[1]}\n';
      await me.send('q', request(text));
      assert.deepEqual(payloads(await now(me, ['q'])), [text]);
    });
    given('what two send at once arrives once each', async (s, me) => {
      await me.create('q', 'persistent');
      const [a, b] = [await s.login('a'), await s.login('b')];
      const texts = Array.from({ length: 50 }, (_, i) => `${i}`);
      await Promise.all([
        ...texts.map((t) => a.send('q', request(`a${t}`, 'a'))),
        ...texts.map((t) => b.send('q', request(`b${t}`, 'b'))),
      ]);
      const seen: string[] = [];
      let from: string | undefined;
      while (seen.length < 100) {
        const t = await me.transfer({ queues: ['q'], from, timeoutS: 10 });
        seen.push(...payloads(t));
        from = t.next;
      }
      assert.equal(new Set(seen).size, 100);
      assert.deepEqual(
        seen.filter((t) => t.startsWith('a')),
        texts.map((t) => `a${t}`),
      );
      await a.close();
      await b.close();
    });
  });
}
