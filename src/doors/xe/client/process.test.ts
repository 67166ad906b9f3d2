/** The thin client as a process, against the door on a socket: questions, files, interrupted output. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { serveCli } from '../fake-server.ts';
import { fakeWorld, type World } from '../fake-world.ts';

const data = mkdtempSync(join(tmpdir(), 'guesthouse-xe-process-'));
const main = join(import.meta.dirname, '..', 'client-main.ts');
let w: World;
let server: Server;

before(async () => {
  mkdirSync(join(data, 'run'));
  w = fakeWorld();
  server = await serveCli(w.door, join(data, 'run', 'xapi.sock'));
});
after(() => {
  server.close();
  rmSync(data, { recursive: true });
});

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}
function run(args: readonly string[], input = '', folder = data): Promise<Ended> {
  const env = { HOME: data, GUESTHOUSE_DATA: folder };
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], { env });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (d: Buffer) => (text.stdout += d));
  child.stderr.on('data', (d: Buffer) => (text.stderr += d));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ ...text, code })));
}

test('output and status are what the host says', async () => {
  assert.deepEqual(await run(['vm-list', 'name-label=web', '--minimal']), {
    stdout: `${w.uuidOf('VM', 'OpaqueRef:web')}\n`,
    stderr: '',
    code: 0,
  });
  const bad = await run(['vm-start', 'vm=none']);
  assert.deepEqual([bad.stdout, bad.code], ['', 1]);
  assert.match(bad.stderr, /^Error: No matching VM found\nvm: none\n/);
});

for (const [how, hangUp] of [
  ['ends the connection', (socket: Socket) => void socket.destroy()],
  ['resets it', (socket: Socket) => void socket.once('data', () => socket.resetAndDestroy())],
] as const)
  test(`a server that ${how} at plain text may speak TLS`, async () => {
    const closing = createServer(hangUp);
    await new Promise<void>((resolve) => closing.listen(0, '127.0.0.1', resolve));
    const { port } = closing.address() as { port: number };
    const ended = await run(['-s', '127.0.0.1', '-p', String(port), '--nossl', '-u', 'root', '-pw', 'x', 'vm-list']);
    closing.close();
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /closed before the greeting; if it speaks TLS there, leave out --nossl\n$/);
  });

test('a question is answered from stdin', async () => {
  assert.match((await run(['vm-uninstall', 'vm=web'], 'no\n')).stderr, /Nothing was done/);
  assert.deepEqual(w.changes(), []);
  const yes = await run(['vm-uninstall', 'vm=web'], 'yes\n');
  assert.deepEqual([yes.stderr, yes.code], ['', 0]);
  assert.match(yes.stdout, /All objects destroyed\n$/);
  assert.deepEqual(w.changes().at(-1), ['VDI.destroy', 'OpaqueRef:root']);
});

test('a file that is asked for is sent whole; one that is not there is told', async () => {
  const file = join(data, 'ca.pem');
  const text = 'é'.repeat(200_000);
  writeFileSync(file, text);
  const sent = await run(['pool-install-ca-certificate', `filename=${file}`]);
  assert.deepEqual([sent.stderr, sent.code], ['', 0]);
  assert.deepEqual(w.changes().at(-1), ['pool.install_ca_certificate', 'ca.pem', text]);
  const none = await run(['pool-install-ca-certificate', `filename=${file}.gone`]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /ENOENT.*\nError: The file .* could not be read/s);
});

test('no host is said so, with what to do', async () => {
  const { stderr, code } = await run(['vm-list'], '', join(data, 'nowhere'));
  assert.equal(code, 1);
  assert.match(stderr, /^xe: no host runs here \(.*nowhere\/run\/xapi\.sock\); start one with 'guesthouse up'/);
});
