/**
 * A reporter for node:test that stays short: failures in full, one line a file, and a count that the scripts add up. The count
 * is appended to the file that GUESTHOUSE_TEST_COUNT names, as `PASSED FAILED SKIPPED`.
 */
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

interface Result {
  readonly name: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details?: { readonly type?: string | undefined; readonly error?: Error & { readonly failureType?: string } };
}

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const count = { passed: 0, failed: 0, skipped: 0 };
  const reasons = new Map<string, number>();
  const times: { readonly file: string; readonly ms: number }[] = [];
  for await (const event of source) {
    if (event.type === 'test:pass') {
      const result = event.data as unknown as Result;
      if (result.details?.type === 'suite') continue;
      if (result.skip === undefined && result.todo === undefined) count.passed++;
      else {
        count.skipped++;
        const reason = String(result.skip ?? result.todo);
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    } else if (event.type === 'test:fail') {
      const result = event.data as unknown as Result;
      // A suite fails because its tests do; those are told by themselves.
      if (result.details?.error?.failureType === 'subtestsFailed') continue;
      count.failed++;
      yield failure(result);
    } else if (event.type === 'test:summary') {
      // One for each file, then one for all, which has no file.
      const { file, duration_ms: ms } = event.data;
      if (file) times.push({ file: relative(process.cwd(), file), ms });
    } else if (event.type === 'test:stderr' && process.env['GUESTHOUSE_TEST_OUTPUT']) yield event.data.message;
  }
  for (const [reason, times] of reasons) yield `skipped ${times}: ${reason}\n`;
  yield slowest(times);
  const { passed, failed, skipped } = count;
  const file = process.env['GUESTHOUSE_TEST_COUNT'];
  if (file) appendFileSync(file, `${passed} ${failed} ${skipped}\n`);
  else yield `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

/** The files that a shorter run starts with; all of them with GUESTHOUSE_TEST_TIMES. */
function slowest(times: readonly { readonly file: string; readonly ms: number }[]): string {
  const all = process.env['GUESTHOUSE_TEST_TIMES'] !== undefined;
  const shown = times.toSorted((a, b) => b.ms - a.ms).slice(0, all ? undefined : 3);
  if (times.length < 2) return '';
  return `slowest: ${shown.map(({ file, ms }) => `${file} ${(ms / 1000).toFixed(1)} s`).join(all ? '\n  ' : ', ')}\n`;
}

/** Bounded, so that one bad assertion does not flood the terminal. */
function failure({ name, file, line, details }: Result): string {
  const error = details?.error;
  const text = inspect(error?.cause ?? error, { depth: 4 });
  const shown = text.split('\n').slice(0, 40).join('\n').slice(0, 4000);
  return `\nFAILED ${file ? relative(process.cwd(), file) : ''}${line ? `:${line}` : ''} ${name}\n${shown}\n\n`;
}
