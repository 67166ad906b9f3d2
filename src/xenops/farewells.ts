/**
 * What another host is still to be told about an attempt that is over here. Each is a row in the store, written together with the
 * record that it follows from.
 *
 *     owed ──told──▶ (no row)
 *      └─ no answer ──▶ told again after a tenth of the silence so far (1 to 60 s), also after a restart
 *
 * `abort`: the guest has stayed here, the copy is to go. `forget`: the copy is the VM, and nobody will ask after it again.
 * Nothing waits for them but the next attempt of the same VM.
 */
import { xenopsErrors } from '../contracts/xenops.ts';
import type { Core } from './core.ts';
import { within } from './deadline.ts';
import { placeOf } from './record.ts';
import type { OwedRow } from './records.ts';

interface Farewell {
  readonly token: string;
  readonly vm: string;
  /** Where the receiver is. */
  readonly to: string;
  readonly word: 'abort' | 'forget';
  /** Since when it is owed, ms. */
  readonly since: number;
}
const firstMs = 1000;
const lastMs = 60_000;
/** How long the receiver may take. */
const answerMs = 300_000;

/** The row of a farewell, to be written with the VM's record; `Farewells.owe` follows. */
export function farewellRow(
  core: Pick<Core, 'clock'>,
  a: { readonly token: string; readonly vm: string; readonly to: string },
  word: Farewell['word'],
): OwedRow {
  const row: Farewell = { ...a, word, since: core.clock.now() };
  return { token: a.token, text: JSON.stringify(row) };
}

export class Farewells {
  readonly #core: Core;
  readonly #owed = new Map<string, Farewell & { cancel?: () => void; telling?: Promise<void> }>();
  #closed = false;

  private constructor(core: Core) {
    this.#core = core;
  }
  static async open(core: Core): Promise<Farewells> {
    const farewells = new Farewells(core);
    for await (const [, text] of core.records.farewells()) farewells.#note(text);
    return farewells;
  }
  /** After a restart: everybody who is owed a word is told. */
  begin(): void {
    for (const token of this.#owed.keys()) this.#soon(token);
  }
  /** A row was written. */
  owe({ text }: OwedRow): void {
    this.#soon(this.#note(text));
  }
  /** Tells everybody who is owed a word about the VM, now. Failed_to_migrate when one does not answer. */
  async settle(vm: string): Promise<void> {
    const ofVm = [...this.#owed.values()].filter((f) => f.vm === vm);
    await Promise.all(
      ofVm.map(({ token, to }) =>
        this.#tell(token).catch((cause: unknown) => {
          const reason = `${placeOf(to)} has not answered yet about an earlier attempt (${wordsOf(cause)}); try again when it is reached`;
          throw xenopsErrors.make('Failed_to_migrate', { vm, reason }, { cause });
        }),
      ),
    );
  }
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#owed.values()) cancel?.();
  }

  #note(text: string): string {
    // Written by `farewellRow`.
    const row = JSON.parse(text) as Farewell;
    this.#owed.set(row.token, row);
    return row.token;
  }
  #soon(token: string): void {
    this.#tell(token).catch((error: unknown) => {
      const f = this.#owed.get(token);
      if (!f || this.#closed) return;
      const { clock, log } = this.#core;
      const silentMs = clock.now() - f.since;
      log.info('another host is told later', { vm: f.vm, to: placeOf(f.to), word: f.word, error: wordsOf(error) });
      f.cancel?.();
      f.cancel = clock.after(Math.min(lastMs, Math.max(firstMs, silentMs / 10)), () => this.#soon(token));
    });
  }
  /** One attempt, shared by all who want it. */
  #tell(token: string): Promise<void> {
    const f = this.#owed.get(token);
    if (!f || this.#closed) return Promise.resolve();
    f.telling ??= this.#say(f).finally(() => {
      delete f.telling;
    });
    return f.telling;
  }
  async #say({ token, to, word, vm }: Farewell): Promise<void> {
    const { clock, ground, records } = this.#core;
    const late = () => xenopsErrors.make('Timed_out', { step: `telling ${placeOf(to)}`, vm, seconds: answerMs / 1000 });
    await within(clock, answerMs, late, async () => {
      if (!ground.moving) throw new Error('this ground moves nothing');
      await (await ground.moving.peer(to))[word]({ token });
    });
    // Told again after the next start.
    if (this.#closed) return;
    await records.dropFarewell(token);
    this.#owed.get(token)?.cancel?.();
    this.#owed.delete(token);
  }
}
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
