import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bugreport } from './bugreport.ts';
import { humanLine } from './follow-log.ts';
import { tar } from './tar.ts';

function unpacked(archive: string, folder: string): string {
  const done = spawnSync('tar', ['-xf', archive, '-C', folder], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return spawnSync('sh', ['-c', 'cd "$0" && find . -type f | sort', folder], { encoding: 'utf8' }).stdout;
}

test('a report holds logs, versions and children, and no password', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'report-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const data = join(folder, 'd');
  mkdirSync(join(data, 'log', 'guests'), { recursive: true });
  mkdirSync(join(data, 'run', 'processes'), { recursive: true });
  writeFileSync(join(data, 'password'), 'correct-horse\n');
  writeFileSync(join(data, 'log', 'house.log'), 'somebody typed correct-horse here\n');
  writeFileSync(join(data, 'log', 'guests', 'a.log'), 'x'.repeat(3 << 20));
  const child = { spec: { id: 'a', env: { TOKEN: 'deadbeef' } }, token: 'deadbeef' };
  writeFileSync(join(data, 'run', 'processes', '=a.json'), JSON.stringify(child));
  const output = join(folder, 'r.tar.gz');
  const lines: string[] = [];
  const terminal = { out: (l: string) => lines.push(l), say: (l: string) => lines.push(l) };
  assert.equal(await bugreport({ data, output }, terminal), 0);
  assert.deepEqual(lines, [output]);
  assert.equal(statSync(output).mode & 0o777, 0o600);
  const files = unpacked(output, folder);
  for (const name of [
    'versions.txt',
    'status.json',
    'records.txt',
    'children.json',
    'log/house.log',
    'log/guests/a.log',
  ])
    assert.match(files, new RegExp(`/${name.replace('.', '\\.')}\n`));
  const found = spawnSync('grep', ['-rlE', 'correct-horse|deadbeef', '--include=*', '.'], {
    cwd: folder,
    encoding: 'utf8',
  }).stdout;
  assert.deepEqual(
    found.split('\n').filter((f) => f.includes('bugreport')),
    [],
  );
  await assert.rejects(bugreport({ data, output }, terminal), /it cannot be written \(EEXIST\)/);
  await assert.rejects(bugreport({ data: '/none/such' }, terminal), /no such folder/);
});

test('tar: long paths are split, too long ones refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tar-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const long = `${'d'.repeat(120)}/${'f'.repeat(90)}`;
  writeFileSync(join(folder, 'a.tar'), tar([{ path: long, data: Buffer.alloc(600, 1), mtime: 1 }]));
  assert.match(unpacked(join(folder, 'a.tar'), folder), new RegExp(`/${long}\n`));
  assert.throws(() => tar([{ path: 'x'.repeat(101), data: Buffer.of(), mtime: 0 }]), /too long/);
});

test('warnings and errors become lines for people', () => {
  const line = (level: string) =>
    JSON.stringify({ level, time: 't', name: 'house', pid: 1, msg: 'it broke', vm: 'x', error: 'a\nb' });
  assert.equal(humanLine(line('warn')), 'warning: it broke (vm=x error=a)');
  assert.equal(humanLine(line('error')), 'error: it broke (vm=x error=a)');
  assert.equal(humanLine(line('info')), undefined);
  assert.equal(humanLine('{"level":"err'), undefined);
});
