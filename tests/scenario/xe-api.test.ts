/** `xe` as a person runs it — launcher, process, local socket — against the API server. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Caller } from '../../src/api/routes.ts';
import { silentLog } from '../../src/base/log.ts';
import { connectOver, maxBody, type XeDoor, xeDoor } from '../../src/doors/xe/door.ts';
import { type ApiHouse, apiHouse, password } from './api-house.ts';

const bin = join(import.meta.dirname, '..', '..', 'bin', 'xe');
// not local: a password that is given must be right
const inside: Caller = { local: false, address: 'local', userAgent: 'xe', gone: () => new AbortController().signal };
const data = mkdtempSync(join(tmpdir(), 'guesthouse-xe-'));
let house: ApiHouse;
let door: XeDoor;

before(async () => {
  mkdirSync(join(data, 'run'));
  symlinkSync(join(data, 'api.sock'), join(data, 'run', 'xapi.sock'));
  house = await apiHouse({
    tls: true,
    local: true,
    dir: data,
    routes: [
      {
        method: 'RAW-POST',
        path: '/cli',
        bodyLimit: maxBody,
        handle: ({ socket, body, caller }) => door.handle(socket, Buffer.alloc(0), body, caller),
      },
    ],
  });
  const transport = { call: (method: string, params: readonly unknown[]) => house.api.call(inside, method, params) };
  door = xeDoor({
    connect: connectOver(transport, async () => house.api.rootSession('xe')),
    log: silentLog,
    version: '0.0.0',
  });
});
after(async () => {
  await house[Symbol.asyncDispose]();
  rmSync(data, { recursive: true, force: true });
});

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}
function xe(...args: string[]): Promise<Ended> {
  const env = { PATH: process.env.PATH, HOME: data, GUESTHOUSE_DATA: data };
  return new Promise((resolve) => {
    const child = execFile(bin, args, { env }, (error, stdout, stderr) =>
      resolve({ stdout, stderr, code: typeof error?.code === 'number' ? error.code : error ? -1 : 0 }),
    );
    child.stdin?.end();
  });
}

test('the local host needs no password', async () => {
  const { stdout, stderr, code } = await xe('host-list', 'params=name-label,enabled');
  assert.deepEqual([stdout, stderr, code], ['name-label ( RW)    : here\n       enabled ( RO): true\n\n\n', '', 0]);
});

test('making, reading and removing an object', async () => {
  const { stdout: made, stderr } = await xe('secret-create', 'value=a, "b"; c');
  assert.equal(stderr, '');
  assert.equal((await xe('secret-param-get', `uuid=${made.trim()}`, 'param-name=value')).stdout, 'a, "b"; c\n');
  assert.equal((await xe('secret-destroy', `uuid=${made.trim()}`)).code, 0);
  assert.equal((await xe('secret-list', '--minimal')).stdout, '\n');
});

test('fields are set, added to and filtered by', async () => {
  const uuid = house.db.get('network', house.db.create('network', { name_label: 'lan', bridge: 'xenbr7' })).uuid;
  assert.equal((await xe('network-param-set', `uuid=${uuid}`, 'other-config:colour=blue', 'name-label=Büro')).code, 0);
  assert.equal((await xe('network-param-get', `uuid=${uuid}`, 'param-name=name-label')).stdout, 'Büro\n');
  assert.equal((await xe('network-list', 'other-config:colour=blue', '--minimal')).stdout, `${uuid}\n`);
  assert.equal((await xe('network-param-add', `uuid=${uuid}`, 'param-name=tags', 'param-key=t')).code, 0);
  const [record] = JSON.parse((await xe('network-list', 'tags:contains=t', 'params=all', '--json')).stdout);
  assert.deepEqual([record.bridge, record['other-config'].colour], ['xenbr7', 'blue']);
});

test('a failure of the API is text on stderr and status 1', async () => {
  const { stdout, stderr, code } = await xe('vm-param-list', 'uuid=none');
  assert.deepEqual([stdout, code], ['', 1]);
  assert.match(stderr, /UUID_INVALID/);
});

test('another host: name and password over TLS whose certificate is pinned', async () => {
  const tls = house.api.listening.tls;
  assert.ok(tls);
  const where = ['-s', '127.0.0.1', '-p', String(tls.port), '-u', 'root', '-pw', password];
  const unknown = await xe(...where, 'host-list', '--minimal');
  assert.equal(unknown.code, 1);
  const print = /--fingerprint (sha256:[0-9a-f]{64})/.exec(unknown.stderr)?.[1];
  assert.ok(print, unknown.stderr);
  const known = await xe(...where, '--fingerprint', print, 'host-list', '--minimal');
  assert.deepEqual([known.stderr, known.code], ['', 0]);
  assert.match(known.stdout, /^[0-9a-f-]{36}\n$/);
  const wrong = await xe(...where, '--fingerprint', `sha256:${'0'.repeat(64)}`, 'host-list');
  assert.match(wrong.stderr, /not the one given/);
  const refused = await xe(
    '-s',
    '127.0.0.1',
    '-p',
    String(tls.port),
    '-u',
    'root',
    '-pw',
    'no',
    '--insecure',
    'host-list',
  );
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /SESSION_AUTHENTICATION_FAILED/);
});

test('plain HTTP when asked for; nothing there is said so', async () => {
  const tcp = ['-s', '127.0.0.1', '-p', String(house.port), '--nossl', '-u', 'root', '-pw', password];
  assert.equal((await xe(...tcp, 'pool-list', '--minimal')).code, 0);
  const nobody = await xe('-s', '127.0.0.1', '-p', '1', '--nossl', 'pool-list');
  assert.deepEqual(nobody.code, 1);
  assert.match(nobody.stderr, /^xe: cannot reach 127\.0\.0\.1:1: /);
});

test('a client that goes away in the middle harms nobody', async () => {
  const socket = connect(join(data, 'run', 'xapi.sock'));
  const body = 'event-wait\nclass=vm\nname-label=never\nusername=\npassword=\n';
  socket.write(`POST /cli HTTP/1.0\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  assert.equal((await xe('pool-list', '--minimal')).code, 0);
});
