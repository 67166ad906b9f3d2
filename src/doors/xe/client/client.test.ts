import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { duplexPair } from '../fake-server.ts';
import type { Host } from './connect.ts';
import { checkNamed, download, tunnel, upload } from './files.ts';
import { ClientError, dataDir, knownHosts, localSocket, readOptions, type Surroundings } from './options.ts';
import { readLine, runConsole } from './terminal.ts';

const around = (env: Record<string, string> = {}, files: Record<string, string> = {}, uid = 1000): Surroundings => ({
  env: { HOME: '/home/u', ...env },
  uid,
  readFile: (path) => files[path],
});

describe('options', () => {
  test('the command line, then XE_EXTRA_ARGS, then ~/.xe', () => {
    const env = { XE_EXTRA_ARGS: 'server=extra,password=a\\,b,port=444' };
    const files = { '/home/u/.xe': '# mine\nserver=file\nusername=me\nnossl\n' };
    const o = readOptions(['-p', '1234', 'vm-list', 'params=all', '--minimal'], around(env, files));
    assert.deepEqual(
      [o.server, o.port, o.user, o.password, o.tls, o.args],
      ['extra', 1234, 'me', 'a,b', false, ['vm-list', 'params=all', '--minimal']],
    );
  });
  test('without anything it is the local host', () => {
    const o = readOptions(['vm-list'], around());
    assert.deepEqual(
      [o.server, o.port, o.user, o.password, o.tls, o.insecure],
      [undefined, undefined, '', '', true, false],
    );
  });
  test('a password from a file is its first line', () => {
    assert.equal(readOptions(['-s', 'h', '-pwf', '/p', 'x'], around({}, { '/p': 'secret\nrest' })).password, 'secret');
    assert.throws(() => readOptions(['-pwf', '/none', 'x'], around()), /password file \/none does not exist/);
  });
  test('what cannot be is refused', () => {
    assert.throws(() => readOptions(['-p', '70000', 'x'], around()), /port is "70000"/);
    assert.throws(() => readOptions(['vm-list', '-s'], around()), /-s needs a value/);
    assert.throws(() => readOptions(['x', 'name-label=a\nb'], around()), /line break/);
    assert.deepEqual(readOptions(['-h'], around()).args, ['-h']);
  });
  test('where the local host is', () => {
    assert.equal(dataDir(around({ GUESTHOUSE_DATA: '/d', XDG_DATA_HOME: '/x' })), '/d');
    assert.equal(dataDir(around({ XDG_DATA_HOME: '/x' }, {}, 0)), '/var/lib/guesthouse');
    assert.equal(dataDir(around({ XDG_DATA_HOME: '/x' })), '/x/guesthouse');
    assert.equal(localSocket(around()), '/home/u/.local/share/guesthouse/run/xapi.sock');
    assert.equal(knownHosts(around()), '/home/u/.config/guesthouse/known-hosts');
  });
});

describe('files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'guesthouse-xe-files-'));
  let host: Host;
  let handler: (req: IncomingMessage, res: ServerResponse) => void;
  const server = createServer((req, res) => handler(req, res));
  before(async () => {
    server.on('connect', (req, socket) => {
      socket.write(
        req.url === '/console'
          ? 'HTTP/1.1 200 OK\r\n\r\nlogin: '
          : 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n',
      );
      socket.on('data', (d: Buffer) => socket.write(d.toString().toUpperCase()));
      socket.on('end', () => socket.end());
      socket.on('error', () => undefined);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    host = {
      name: 'test',
      async connect() {
        const socket = createConnection({ host: '127.0.0.1', port });
        await once(socket, 'connect');
        return socket;
      },
    };
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });

  test('only files that the command line names are touched', () => {
    const args = ['vdi-import', 'uuid=1', 'filename=/tmp/a'];
    checkNamed('/tmp/a', args);
    for (const file of ['/etc/passwd', '/tmp/', '', '/tmp/a/../b'])
      assert.throws(() => checkNamed(file, args), ClientError);
  });
  test('a download follows a redirection and makes a new file', async () => {
    handler = (req, res) =>
      req.url === '/a' ? res.writeHead(302, { location: '/b?c=d' }).end() : res.end(`from ${req.url}`);
    const file = join(dir, 'new');
    await download(host, file, '/a');
    assert.equal(readFileSync(file, 'utf8'), 'from /b?c=d');
    await assert.rejects(download(host, file, '/a'), /exists already/);
    assert.equal(readFileSync(file, 'utf8'), 'from /b?c=d');
  });
  test('a refusal is told with the text of the page, and leaves no file', async () => {
    handler = (_, res) => res.writeHead(404).end('<html><b>nothing</b> here</html>');
    await assert.rejects(download(host, join(dir, 'x'), '/a'), /answered 404: nothing here/);
    assert.ok(!existsSync(join(dir, 'x')));
    handler = (_, res) => res.writeHead(302, { location: '/a' }).end();
    await assert.rejects(download(host, join(dir, 'x'), '/a'), /circle/);
  });
  test('an upload says its length and sends every byte', async () => {
    const got: Buffer[] = [];
    handler = (req, res) => {
      got.push(Buffer.from(`${req.method} ${req.url} ${req.headers['content-length']} `));
      req.on('data', (d) => got.push(d)).on('end', () => res.end());
    };
    const file = join(dir, 'up');
    const bytes = Buffer.alloc(300_000, 'xyz');
    writeFileSync(file, bytes);
    await upload(host, file, '/import?x=1');
    assert.ok(Buffer.concat(got).equals(Buffer.concat([Buffer.from('PUT /import?x=1 300000 '), bytes])));
    got.length = 0;
    writeFileSync(file, '');
    await upload(host, file, '/import');
    assert.equal(Buffer.concat(got).toString(), 'PUT /import 0 ');
    await assert.rejects(upload(host, join(dir, 'none'), '/import'), /cannot read .*none/);
    await assert.rejects(upload(host, dir, '/import'), /no regular file/);
  });
  test('a tunnel carries bytes both ways', async () => {
    const { socket, head } = await tunnel(host, 'https://other:1/console');
    let text = head.toString();
    socket.on('data', (d: Buffer) => {
      text += d;
    });
    socket.write('root\n');
    while (!text.endsWith('ROOT\n')) await once(socket, 'data');
    assert.equal(text, 'login: ROOT\n');
    socket.destroy();
    await assert.rejects(tunnel(host, '/nothing'), /cannot connect: the host answered 403/);
  });
});

describe('terminal', () => {
  const tty = () =>
    Object.assign(new PassThrough(), {
      isTTY: true,
      modes: [] as boolean[],
      setRawMode(on: boolean) {
        this.modes.push(on);
      },
    });
  const asInput = (s: unknown) => s as NodeJS.ReadStream;

  test('Ctrl-] leaves the console and the terminal is as before', async () => {
    const [near, far] = duplexPair();
    const input = tty();
    const output = new PassThrough();
    const errors = new PassThrough();
    const done = runConsole(near as Socket, Buffer.from('hi '), { input: asInput(input), output, errors });
    const heard: string[] = [];
    far.on('data', (d: Buffer) => heard.push(d.toString()));
    far.write('there');
    input.write('ls\x03');
    input.write('ab\x1dcd');
    await done;
    while (heard.join('').length < 5) await once(far, 'data');
    assert.equal(heard.join(''), 'ls\x03ab');
    assert.deepEqual(input.modes, [true, false]);
    assert.equal(output.read().toString(), 'hi there');
    assert.match(errors.read().toString(), /leave with Ctrl-\]/);
  });
  test('what is kept of a console holds no questions to a terminal that is not there', async () => {
    const [near, far] = duplexPair();
    const output = new PassThrough();
    const streams = { input: asInput(new PassThrough()), output, errors: new PassThrough() };
    const done = runConsole(near as Socket, Buffer.from('$ \x1b[6'), streams);
    for (const part of ['nls\x1b[6n', '\x1b', '[1mbold\x1b[', '6n.', '\xff\x1b['])
      far.write(Buffer.from(part, 'latin1'));
    far.end();
    await done;
    assert.equal(output.read().toString('latin1'), '$ ls\x1b[1mbold.\xff\x1b[');
    const shown = Object.assign(new PassThrough(), { isTTY: true });
    const [here, there] = duplexPair();
    const all = runConsole(here as Socket, Buffer.from('$ \x1b[6n'), { ...streams, output: shown });
    there.end();
    await all;
    assert.equal(shown.read().toString(), '$ \x1b[6n');
  });
  test('the end of the console ends it too', async () => {
    const [near, far] = duplexPair();
    const input = tty();
    const done = runConsole(near as Socket, Buffer.alloc(0), {
      input: asInput(input),
      output: new PassThrough(),
      errors: new PassThrough(),
    });
    far.end();
    await done;
    assert.deepEqual(input.modes, [true, false]);
  });
  test('a line is read in pieces, and ends with its input', async () => {
    const input = new PassThrough();
    const line = readLine(asInput(input));
    input.write('ye');
    input.write('s\nmore');
    assert.equal(await line, 'yes');
    const last = new PassThrough();
    last.end('no newline');
    assert.equal(await readLine(asInput(last)), 'no newline');
  });
});
