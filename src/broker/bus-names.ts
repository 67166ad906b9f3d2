/** Who owns which well-known names on the bus, kept current by its signals. */
import type { BusConnection } from '../bus/connection.ts';

export class BusNames {
  readonly #owned = new Map<string, Set<string>>();

  /** Learns all names that are owned, then follows. */
  static async follow(bus: BusConnection): Promise<BusNames> {
    const names = new BusNames();
    await bus.follow(
      "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged'",
      (signal) => {
        if (signal.sender !== 'org.freedesktop.DBus' || signal.member !== 'NameOwnerChanged') return;
        const [name, before, now] = signal.args as [string, string, string];
        names.changed(name, before, now);
      },
    );
    const [all] = (await bus.bus('ListNames')) as [string[]];
    for (const name of all.filter((each) => !each.startsWith(':'))) {
      const owner = await bus.bus('GetNameOwner', 's', name).catch(() => undefined); // it may be gone by now
      if (owner) names.changed(name, '', owner[0] as string);
    }
    return names;
  }
  changed(name: string, before: string, now: string): void {
    if (name.startsWith(':')) return;
    const old = this.#owned.get(before);
    old?.delete(name);
    if (old?.size === 0) this.#owned.delete(before);
    if (now !== '') this.#owned.set(now, (this.#owned.get(now) ?? new Set()).add(name));
  }
  /** The well-known names of a connection. */
  of(unique: string): readonly string[] {
    return [...(this.#owned.get(unique) ?? [])];
  }
}
