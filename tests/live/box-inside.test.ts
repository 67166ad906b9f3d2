/** The tests that want to be in the control domain of a Xen host, `xen-*.test.ts`, run in a box; their counts are added to the run's. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { cannotBox, liveBox } from './box-host.ts';

const skip = cannotBox();
const root = join(import.meta.dirname, '../..');
const files = readdirSync(import.meta.dirname).filter((name) => /^xen-.*\.test\.ts$/.test(name));
/** By emulation all of them take ten minutes and more. */
const quick = ['xen-migration.test.ts', 'xen-suspend.test.ts', 'xen-driver-domain.test.ts'];
const tooLong = (file: string): string | false =>
  process.env['XEN_INSIDE'] !== 'all' &&
  !quick.includes(file) &&
  'too long for every run: XEN_INSIDE=all npm run test:xen runs it';

/** Over what the box was started with, in its memory. */
const lay = `set -e
mkdir -p /run/box/push/upper /run/box/push/work
mount -t overlay push -o lowerdir=/opt/guesthouse,upperdir=/run/box/push/upper,workdir=/run/box/push/work /opt/guesthouse
tar -x --no-same-owner -C /opt/guesthouse`;
/** A call of Xen's libraries that never comes back would hold its process, and so what the test said, for good. */
const limitS = (file: string) => (quick.includes(file) ? 420 : 1200);
const runFile = (file: string) => `cd /opt/guesthouse
export GUESTHOUSE_TEST_COUNT=/tmp/count BACKEND=xen
rm -f /tmp/count
timeout --kill-after=10 ${limitS(file)} bin/node --test --test-timeout=300000 --test-reporter=/opt/guesthouse/tools/test-report.ts --test-reporter-destination=stdout tests/live/${file} 2>&1
echo
cat /tmp/count`;

test('in the control domain of a box', { skip, timeout: 1_200_000 }, async (t) => {
  await using b = await liveBox();
  const archive = execFileSync('tar', ['-c', '-C', root, 'tests', 'tools'], { maxBuffer: 1 << 28 });
  const laid = await b.exec(['bash', '-c', lay], archive);
  assert.equal(laid.code, 0, laid.err);
  for (const file of files)
    await t.test(file, { skip: tooLong(file) }, async () => {
      const { out, err } = await b.exec(['bash', '-c', runFile(file)]);
      const said = out.toString().trim();
      const counts = /(\d+) (\d+) (\d+)$/.exec(said);
      assert.ok(counts, `no count: ${said} ${err}`);
      const [, passed = '', failed = '', skipped = ''] = counts;
      const sum = process.env['GUESTHOUSE_TEST_COUNT'];
      if (sum) appendFileSync(sum, `${passed} ${failed} ${skipped}\n`);
      assert.equal(failed, '0', said);
      assert.notEqual(passed, '0', `nothing ran: ${said}`);
    });
});
