/**
 * A ground whose guests all have a screen: one that has a text console and no graphics card is given that console as a picture.
 * Nothing is drawn while nobody looks.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { KeyedQueue } from '../base/queue.ts';
import { openTextScreen, type TextScreen } from '../vncterm/index.ts';
import type { Backend, Observed } from '../xenops/backend.ts';

export interface TextScreensOptions {
  /** Absolute folder of the screens' sockets; only root may enter it. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
}
interface Drawn {
  /** Whose console is drawn. */
  readonly of: string;
  readonly screen: TextScreen;
}

export function withTextScreens(backend: Backend, o: TextScreensOptions): Backend {
  const drawn = new Map<string, Drawn>();
  const queue = new KeyedQueue(64);
  mkdirSync(o.dir, { recursive: true, mode: 0o700 });
  const drop = async (vm: string) => {
    const before = drawn.get(vm);
    drawn.delete(vm);
    await before?.screen.close();
  };
  const complete = (seen: Observed): Promise<Observed> =>
    queue.push(seen.vm, async () => {
      const console = seen.consoles.find((c) => c.protocol === 'vt100')?.socket;
      const needed = seen.consoles.some((c) => c.protocol === 'rfb') ? undefined : console;
      const of = `${seen.domid} ${needed}`;
      if (drawn.get(seen.vm)?.of !== of) await drop(seen.vm);
      if (needed === undefined) return seen;
      const path = join(o.dir, seen.vm);
      if (!drawn.has(seen.vm)) {
        const screen = await openTextScreen({ ...o, console: needed, listen: { path }, name: `Domain ${seen.domid}` });
        drawn.set(seen.vm, { of, screen });
      }
      return { ...seen, consoles: [...seen.consoles, { protocol: 'rfb', socket: path }] };
    });
  const { migration } = backend;
  return {
    ...backend,
    ...(migration && {
      migration: {
        ...migration,
        async rename(from: string, to: string) {
          await migration.rename(from, to);
          await queue.push(from, () => drop(from));
        },
      },
    }),
    observeAll: async () => Promise.all((await backend.observeAll()).map(complete)),
    async close() {
      await Promise.all([...drawn.keys()].map(drop));
      await backend.close();
    },
    vm: {
      ...backend.vm,
      async observe(vm) {
        const seen = await backend.vm.observe(vm);
        return seen && complete(seen);
      },
      async destroy(vm) {
        await backend.vm.destroy(vm);
        await queue.push(vm, () => drop(vm));
      },
    },
  };
}
