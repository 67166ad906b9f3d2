/** What a client wants to hear of: `*`, a class in any case, or `class/OpaqueRef:…`. */
import { fail } from '../datamodel/errors.ts';
import { type ClassName, classes } from '../datamodel/index.ts';
import type { DbEvent } from '../db/db.ts';

/** Lower-case name → class, of those that have events. */
const eventful: ReadonlyMap<string, ClassName> = new Map(
  Object.values(classes)
    .filter((c) => c.events)
    .map((c) => [c.name.toLowerCase(), c.name as ClassName]),
);
export const eventClasses: readonly ClassName[] = [...eventful.values()];

export interface Subscription {
  /** Equal for equal subscriptions. */
  readonly key: string;
  readonly classes: ReadonlySet<ClassName>;
  /** Only for changes of tasks: those are answered at once. */
  readonly tasksOnly: boolean;
  matches(e: DbEvent): boolean;
}

/** EVENT_SUBSCRIPTION_PARSE_FAILURE [item]. Classes that have no events are taken and stay silent. */
export function parseSubscription(items: readonly string[]): Subscription {
  const whole = new Set<ClassName>();
  const single = new Map<ClassName, Set<string>>();
  for (const item of items) {
    const [name = '', ref, ...more] = item.split('/');
    if (name === '' || more.length > 0 || ref === '')
      throw fail('EVENT_SUBSCRIPTION_PARSE_FAILURE', { subscription: item });
    if (item === '*') for (const cls of eventClasses) whole.add(cls);
    const cls = eventful.get(name.toLowerCase());
    if (cls && ref === undefined) whole.add(cls);
    else if (cls && ref !== undefined) single.set(cls, (single.get(cls) ?? new Set()).add(ref));
  }
  for (const cls of whole) single.delete(cls);
  const wanted = new Set([...whole, ...single.keys()]);
  const parts = [...single].map(([cls, refs]) => `${cls}/${[...refs].sort().join('+')}`);
  return {
    key: [...[...whole].sort(), ...parts.sort()].join(','),
    classes: wanted,
    tasksOnly: wanted.size === 1 && wanted.has('task'),
    matches: (e) => whole.has(e.cls) || (single.get(e.cls)?.has(e.ref) ?? false),
  };
}
