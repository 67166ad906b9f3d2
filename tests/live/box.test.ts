/** The box as its user has it: comes up, looks like any host from outside, comes back as it was saved, survives a kill. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { boxData, cannotBox, liveBox, processesOf } from './box-host.ts';
import { run } from './clients/program.ts';
import { bin } from './host.ts';

const skip = cannotBox();
const timeout = 600_000;

async function names(call: (method: string, ...params: unknown[]) => Promise<unknown>): Promise<string[]> {
  const all = Object.values((await call('VM.get_all_records')) as Record<string, { name_label: string }>);
  return all.map((vm) => vm.name_label);
}

test('a box comes up and looks like any Xen host from outside', { skip, timeout }, async () => {
  await using b = await liveBox();
  const [host] = (await b.call('host.get_all')) as string[];
  const version = (await b.call('host.get_software_version', host)) as Record<string, string>;
  assert.match(version['xen'] ?? '', /^4\.17\.\d+$/);
  const { out } = await run(bin('xe'), ['host-list', 'params=name-label', '--minimal'], {
    env: { GUESTHOUSE_DATA: b.data },
  });
  assert.notEqual(out.toString().trim(), '', 'xe needs no password through the local socket');
  const now = await b.exec(['date', '+%s']);
  assert.ok(Math.abs(Number(now.out.toString()) - Date.now() / 1000) < 120, `the box's clock: ${now.out}`);
  assert.equal((await b.exec(['sh', '-c', 'exit 7'])).code, 7);
  assert.equal((await b.exec(['cat'], 'through standard input')).out.toString(), 'through standard input');
  assert.equal((await b.exec(['printf', '%s|', 'two words', "it's", '$HOME'])).out.toString(), "two words|it's|$HOME|");
  const store = await b.exec(['sh', '-c', 'ps -eo args | grep -c "[x]enstored\\.[ct]"; pgrep -xc xenstored']);
  assert.match(store.out.toString(), /^1\n0\n/, 'the store is ours, and ours alone');
});

test('two that come back from one snapshot share neither password nor random numbers', { skip, timeout }, async () => {
  const numbers = [];
  for (const password of ['the first one', 'the second one']) {
    await using b = await liveBox({ password });
    const other = password === 'the first one' ? 'the second one' : 'the first one';
    await assert.rejects(b.call('session.change_password', other, 'another one'), /SESSION_AUTHENTICATION_FAILED/);
    const [template] = (await b.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
    const vm = await b.call('VM.clone', template, 'one');
    const drawn = await b.exec(['od', '-An', '-N16', '-tx1', '/dev/urandom']);
    numbers.push(drawn.out.toString(), await b.session(), vm, await b.call('VM.get_uuid', vm));
  }
  assert.equal(new Set(numbers).size, 8, numbers.join(' '));
});

test('what was saved comes back in seconds, what was discarded does not, and a kill leaves nothing behind', {
  skip,
  timeout,
}, async () => {
  const began = await liveBox();
  const [template] = (await began.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  await began.call('VM.clone', template, 'saved');
  const down = await began.box('down');
  assert.equal(down.code, 0, down.err);
  assert.equal(await began.ended, 0);

  const again = await liveBox({ fresh: false });
  assert.ok(
    again.said.some((line) => line.includes("snapshot 'last'")),
    again.said.join('\n'),
  );
  assert.ok((await names(again.call)).includes('saved'));
  await again.call('VM.clone', template, 'not saved');
  again.up.kill('SIGKILL');
  assert.equal(await again.ended, 'SIGKILL');
  const deadline = Date.now() + 30_000;
  while ((await processesOf(boxData)).length > 0)
    assert.ok(Date.now() < deadline, `left behind: ${await processesOf(boxData)}`);

  const after = await liveBox({ fresh: false });
  assert.ok((await names(after.call)).includes('saved'));
  assert.ok(!(await names(after.call)).includes('not saved'));
  after.up.kill('SIGTERM');
  assert.equal(await after.ended, 0);

  await using fresh = await liveBox();
  assert.ok(!(await names(fresh.call)).includes('saved'), 'a fresh one knows nothing of what was saved');
});

test('a box that does not run is told so, and one that runs is not started twice', { skip, timeout }, async () => {
  const none = await run(bin('guesthouse'), ['box', 'exec', '--data', join(boxData, 'none'), 'true']);
  assert.equal(none.code, 1);
  assert.match(none.err, /no box runs; start it with: .*box up --data/);
  await using b = await liveBox();
  const second = await b.box('up', '--listen', '127.0.0.1:0');
  assert.equal(second.code, 1);
  assert.match(second.err, /another 'up' runs for it/);
  await b.call('pool.get_all');
});
