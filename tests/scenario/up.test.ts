import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { down } from '../../src/apps/down.ts';
import { places } from '../../src/apps/places.ts';
import { look, status } from '../../src/apps/status.ts';
import { systemClock } from '../../src/base/clock.ts';
import { statOf } from '../../src/processes/index.ts';

class Up {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly exit: Promise<number | null>;
  constructor(options: object) {
    this.child = spawn(process.execPath, [join(import.meta.dirname, 'up-main.ts'), JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (d: Buffer) => {
      this.out += d.toString();
    });
    this.child.stderr?.on('data', (d: Buffer) => {
      this.err += d.toString();
    });
    this.exit = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
  }
  async ready(): Promise<void> {
    await until(
      () => this.out.includes('\n') || this.child.exitCode !== null,
      () => this.err,
    );
    assert.match(this.out, /^ready http:\/\/127\.0\.0\.1:0\n$/, this.err);
  }
}
async function until(condition: () => boolean | Promise<boolean>, why: () => string = () => ''): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited too long: ${why()}`);
    await systemClock.sleep(20);
  }
}

const isRunning = (pid: number | undefined) => statOf(pid ?? 0)?.zombie === false;

function bench(t: TestContext) {
  const data = join(mkdtempSync(join(tmpdir(), 'up-')), 'd');
  const at = places(data);
  const said: string[] = [];
  const end = (more: object = {}) =>
    down({ data, timeoutS: 1, ...more }, { out: () => undefined, say: (line) => said.push(line) });
  const ups: Up[] = [];
  t.after(async () => {
    await end();
    for (const up of ups) await up.exit;
    assert.deepEqual(processesOf(data), []);
    rmSync(join(data, '..'), { recursive: true });
  });
  const options = { data, listen: '127.0.0.1:0', listenTls: 'none', hypervisor: 'auto', store: 'sqlite', demo: false };
  return {
    data,
    at,
    said,
    end,
    up: (more: object = {}) => {
      const up = new Up({ ...options, ...more });
      ups.push(up);
      return up;
    },
    pids: async () => {
      const found = await look(data);
      const of = (id: string) => found.processes.find((p) => p.id === id && p.running)?.pid;
      return { supervisor: found.supervisor?.pid, house: of('house'), guest: of('guest') };
    },
  };
}
/** Processes whose command line contains the folder. */
function processesOf(data: string): string[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return line.includes(data) ? [line] : [];
    } catch {
      return []; // it has just ended
    }
  });
}

test('ready is one line; the password is made once, private and shown once', async (t) => {
  const { up, at, end } = bench(t);
  const first = up();
  await first.ready();
  const password = readFileSync(at.password, 'utf8').trim();
  assert.match(password, /^[a-z2-9]{16}$/);
  assert.equal(statSync(at.password).mode & 0o777, 0o600);
  assert.ok(first.err.includes(password));
  assert.equal(await end(), 0);
  assert.equal(await first.exit, 0);
  const second = up();
  await second.ready();
  assert.ok(!second.err.includes(password), second.err);
  assert.equal(readFileSync(at.password, 'utf8').trim(), password);
});

test('SIGTERM ends the toolstack, the guest runs on and is taken over; down ends everything', async (t) => {
  const { up, pids, data, said, end } = bench(t);
  const first = up();
  await first.ready();
  const before = await pids();
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0);
  assert.match(first.err, /1 guest runs on/);
  assert.match(first.err, new RegExp(`guesthouse down --data ${data}`));
  assert.deepEqual([isRunning(before.supervisor), isRunning(before.house)], [false, false]);
  assert.ok(isRunning(before.guest));
  const second = up();
  await second.ready();
  assert.equal((await pids()).guest, before.guest);
  assert.equal(await end(), 0);
  assert.equal(await second.exit, 0);
  assert.match(second.err, /ended by guesthouse down/);
  assert.match(said.join('\n'), /1 guest was shut down/);
  assert.deepEqual(processesOf(data), []);
  assert.equal(await status({ data, json: true }, { out: () => undefined }), 3);
});

test('a killed supervisor is started again and finds house and guest; a killed house is started again', async (t) => {
  const { up, pids } = bench(t);
  await up().ready();
  const before = await pids();
  process.kill(before.supervisor!, 'SIGKILL');
  await until(async () => ![undefined, before.supervisor].includes((await pids()).supervisor));
  const { house, guest } = await pids();
  assert.deepEqual([house, guest], [before.house, before.guest]);
  process.kill(before.house!, 'SIGKILL');
  await until(async () => ![undefined, before.house].includes((await pids()).house));
  assert.equal((await pids()).guest, before.guest);
});

test('a killed up leaves everything running, and the next one finds it', async (t) => {
  const { up, pids } = bench(t);
  const first = up();
  await first.ready();
  const before = await pids();
  first.child.kill('SIGKILL');
  await first.exit;
  await up().ready();
  assert.deepEqual(await pids(), before);
});

test('down works when nothing but the guest was left', async (t) => {
  const { up, pids, data, end } = bench(t);
  const first = up();
  await first.ready();
  const before = await pids();
  for (const pid of [first.child.pid, before.supervisor, before.house]) process.kill(pid!, 'SIGKILL');
  await first.exit;
  await until(() => processesOf(data).length === 0);
  assert.equal(await end(), 0);
  await until(() => !isRunning(before.guest));
});

test('status tells of guests that run without the toolstack', async (t) => {
  const { up, pids, data, end } = bench(t);
  const first = up();
  await first.ready();
  const { guest } = await pids();
  first.child.kill('SIGTERM');
  assert.equal(await first.exit, 0);
  const said: string[] = [];
  assert.equal(await status({ data, json: false }, { out: (line) => said.push(line) }), 3);
  const text = said.join('\n');
  assert.match(text, /^guests +1 running without the toolstack$/m);
  assert.match(text, new RegExp(`^process +guest: pid ${guest}$`, 'm'));
  assert.match(text, new RegExp(`^take over: .*up --data ${data}\nshut down: .*down --data ${data}$`, 'm'));
  await end();
  said.length = 0;
  assert.equal(await status({ data, json: false }, { out: (line) => said.push(line) }), 3);
  assert.match(said.join('\n'), /^\S+: not running; start it with: .*$/);
});

test('SIGTERM to up while down is at work: both end, and nothing runs', async (t) => {
  const { up, at, said, end, data } = bench(t);
  const first = up();
  await first.ready();
  writeFileSync(join(at.run, 'slow'), '');
  const down = end();
  await until(() => existsSync(at.downMark));
  first.child.kill('SIGTERM');
  await until(() => first.err.includes('guesthouse down is at work'));
  rmSync(join(at.run, 'slow'));
  assert.equal(await down, 0);
  assert.equal(await first.exit, 0);
  assert.match(first.err, /ended by guesthouse down/);
  assert.match(said.join('\n'), /1 guest was shut down\n.*nothing of .* runs any more/);
  assert.deepEqual(processesOf(data), []);
});

test('down replaces a house that hangs', async (t) => {
  const { up, pids, data, said, end } = bench(t);
  const first = up();
  await first.ready();
  const { house } = await pids();
  process.kill(house ?? 0, 'SIGSTOP');
  assert.equal(await end({ houseSilentMs: 3000 }), 0);
  assert.equal(await first.exit, 0);
  assert.match(said.join('\n'), /the house has not answered for 3 s; trying with a new one\n.*1 guest was shut down/);
  assert.deepEqual(processesOf(data), []);
  assert.deepEqual(
    readdirSync(places(data).run).filter((name) => name.endsWith('.sock')),
    [],
  );
});

test('what cannot be is refused, named, and leaves nothing running', async (t) => {
  const { up, data } = bench(t);
  const busy = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => busy.once('listening', resolve));
  t.after(() => busy.close());
  const { port } = busy.address() as { port: number };
  const cases: [object, RegExp][] = [
    [
      { listen: `127.0.0.1:${port}` },
      new RegExp(`--listen 127.0.0.1:${port}: port ${port} is taken by another program`),
    ],
    [{ listenTls: `127.0.0.1:${port}` }, /--listen-tls .* is taken/],
    [{ hypervisor: 'xen' }, /guesthouse: this is no Xen host; use qemu\n/],
    [{ passwordFile: '/none' }, /--password-file \/none: it cannot be read/],
  ];
  for (const [more, why] of cases) {
    const one = up(more);
    assert.equal(await one.exit, 1, one.err);
    assert.match(one.err, why);
    assert.equal(one.out, '');
    await until(() => processesOf(data).length === 0);
  }
});

test('one up per folder; a new password is handed to the house', async (t) => {
  const { up, data, at, pids } = bench(t);
  const first = up();
  await first.ready();
  const second = up();
  assert.equal(await second.exit, 1);
  assert.match(second.err, new RegExp(`--data ${data}: another 'guesthouse up' runs for it`));
  const before = await pids();
  first.child.kill('SIGINT');
  assert.equal(await first.exit, 0);
  const file = join(data, 'given');
  writeFileSync(file, 'given word\r\nmore\n');
  await up({ passwordFile: file }).ready();
  assert.equal(readFileSync(at.passwordNew, 'utf8'), 'given word\n');
  assert.equal((await pids()).guest, before.guest);
  assert.equal(existsSync(at.downMark), false);
});
