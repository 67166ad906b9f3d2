import assert from 'node:assert/strict';
import test from 'node:test';
import { introduceAgain } from './build.ts';
import type { Domain } from './domain.ts';

/** A domain whose rings are noted, and what its store is told. */
function noted(introduced: boolean) {
  const told: unknown[] = [];
  const store = {
    isIntroduced: async () => introduced,
    read: async (path: string) => (path === '/local/domain/7/store/ring-ref' ? '4711' : assert.fail(path)),
    introduce: async (...args: unknown[]) => void told.push(args),
  };
  return {
    told,
    domain: { record: { domid: 7, ports: { store: 3, console: 4 } }, needs: { store } } as unknown as Domain,
  };
}

test('a guest whose toolstack was killed before it was introduced is introduced by the next one', async () => {
  const { told, domain } = noted(false);
  await introduceAgain(domain);
  assert.deepEqual(told, [[7, 4711n, 3]]);
});
test('a guest that the store knows is left alone', async () => {
  const { told, domain } = noted(true);
  await introduceAgain(domain);
  assert.deepEqual(told, []);
});
