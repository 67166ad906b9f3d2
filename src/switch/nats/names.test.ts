import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMessage, formatPlace, Names, parseMessage, parseNote, parsePlace } from './names.ts';

/** Records as JSON makes them. */
const plain = { noNullPrototype: true } as const;
const queue = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 });

test('any queue has a name that NATS takes, and no two share one', () => {
  const names = new Names('guesthouse');
  fc.assert(
    fc.property(queue, queue, (a, b) => {
      for (const name of [names.streamOf(a), names.subjectOf(a).replaceAll('.', '')])
        assert.match(name, /^[A-Za-z0-9_-]{1,80}$/);
      assert.equal(names.streamOf(a) === names.streamOf(b), a === b);
    }),
  );
});
test('messages and places come back as they were', () => {
  const kind = fc.oneof(
    fc.record({ request: fc.string() }, plain),
    fc.record({ response: fc.tuple(fc.string(), fc.nat()) }, plain),
  );
  fc.assert(
    fc.property(fc.record({ payload: fc.string({ unit: 'binary' }), kind }, plain), (message) => {
      assert.deepEqual(parseMessage(formatMessage(message)), message);
    }),
  );
  const place = new Map([['a "b"', { created: '2026-01-01T00:00:00Z', seq: 7 }]]);
  assert.deepEqual(parsePlace(formatPlace(place)), place);
});
test('what others wrote is nothing of ours', () => {
  const junk = fc.oneof(fc.string(), fc.json());
  fc.assert(
    fc.property(junk, (text) => {
      parsePlace(text);
      const [message, note] = [parseMessage(text), parseNote(text)];
      assert.equal(message === undefined || typeof message.payload === 'string', true);
      assert.equal(note === undefined || typeof note.queue === 'string', true);
    }),
  );
  for (const text of ['null', '[]', '{"payload":1,"kind":["Request","q"]}', '{"payload":"","kind":["Response",["q"]]}'])
    assert.equal(parseMessage(text), undefined, text);
  for (const text of [undefined, '', '{"queue":"q"}', '{"queue":1,"durability":"persistent"}'])
    assert.equal(parseNote(text), undefined, text);
});
