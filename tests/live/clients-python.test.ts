/** Python's xmlrpc.client from the standard library: a VM's life, types, errors, tasks and events. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { run, without } from './clients/program.ts';
import { cannotRun, type LiveHost, liveHost } from './host.ts';

const absent = without({ python3: 'python3' });
const program = join(import.meta.dirname, 'clients', 'plain.py');

async function converse(h: LiveHost): Promise<void> {
  const input = `${h.password}\n`;
  const { code, out, err } = await run('python3', ['-B', program, h.url, 'Tiny Linux'], { input });
  assert.deepEqual([code, out.toString().trim()], [0, 'ok'], err);
  assert.deepEqual(await h.call('VM.get_by_name_label', 'plain'), []);
}

test('xmlrpc.client on the simulator', { skip: absent }, async () => {
  await using h = await liveHost({ hypervisor: 'simulator' });
  await converse(h);
});

test('xmlrpc.client on QEMU', { skip: absent || (cannotRun() ?? false) }, async () => {
  await using h = await liveHost();
  await converse(h);
});
