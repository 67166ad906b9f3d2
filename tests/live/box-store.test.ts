/** A kill of the host's store, in a box, with guests: their consoles go on, and those of new ones are there, with nobody's help. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { cannotBox, type LiveBox, liveBox, ready, says, tinyLinux } from './box-host.ts';

const skip = cannotBox();
/** Kills it, and waits until another one answers. */
const killed = `old=$(pgrep -f '[x]enstored\\.[ct]') || exit 1
kill -9 $old
until new=$(pgrep -f '[x]enstored\\.[ct]') && [ "$new" != "$old" ]; do sleep 0.1; done
until timeout 10 xenstore-read -s /local/domain/0/name; do sleep 0.1; done`;

async function started(b: LiveBox, name: string): Promise<{ vm: string; uuid: string }> {
  const made = await tinyLinux(b, name);
  await b.call('VM.start', made.vm, false, false);
  return made;
}

test('the store of a Xen host is killed: consoles of old and new guests answer', {
  skip,
  timeout: 600_000,
}, async () => {
  await using b = await liveBox();
  const first = await started(b, 'before');
  await ready(b, first.uuid);
  const daemon = (await b.exec(['pgrep', '-x', 'xenconsoled'])).out.toString();
  const kill = await b.exec(['bash', '-c', killed]);
  assert.equal(kill.code, 0, kill.err);
  await says(b, first.uuid, /STILL-HERE/, 'echo STILL-""HERE\n');
  const second = await started(b, 'after');
  await ready(b, second.uuid);
  assert.equal((await b.exec(['pgrep', '-x', 'xenconsoled'])).out.toString(), daemon, 'nobody started it again');
  for (const { vm } of [first, second]) await b.call('VM.clean_shutdown', vm);
});
