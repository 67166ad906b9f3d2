/** Makes UUIDs; injected so that a seed replays a run. */
export interface Ids {
  uuid(): string;
}

declare const crypto: { randomUUID(): string };

export const randomIds: Ids = { uuid: () => crypto.randomUUID() };

/** Repeatable ids for tests: the same seed gives the same sequence. */
export function seededIds(seed = 1): Ids {
  let n = 0;
  return {
    uuid() {
      n++;
      const tail = n.toString(16).padStart(12, '0');
      return `${seed.toString(16).padStart(8, '0')}-0000-4000-8000-${tail}`;
    },
  };
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Whether `s` has the 8-4-4-4-12 form of a UUID (any version). */
export const isUuid = (s: string): boolean => uuidPattern.test(s);
