import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Rec } from '../../src/datamodel/index.ts';
import { type DiskHouse, diskHouse } from './disk-house.ts';

const mib = 1024 * 1024;

async function newDisk(h: DiskHouse, size: number): Promise<string> {
  const pool = (await h.root<string[]>('pool.get_all'))[0];
  return h.root('VDI.create', {
    name_label: 'disk',
    SR: await h.root('pool.get_default_SR', pool),
    virtual_size: size,
    type: 'user',
    sharable: false,
    read_only: false,
    other_config: {},
  });
}
const newTask = (h: DiskHouse) => h.root('task.create', 'transfer', '');
async function ended(h: DiskHouse, task: string): Promise<Rec<'task'>> {
  for (;;) {
    const record = await h.root<Rec<'task'>>('task.get_record', task);
    if (record.status !== 'pending' && record.status !== 'cancelling') return record;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
function put(url: string, headers: http.OutgoingHttpHeaders = {}): ClientRequest {
  return http.request(url, { method: 'PUT', headers, agent: false });
}
const answer = (req: ClientRequest) =>
  new Promise<IncomingMessage>((resolve, reject) => req.once('response', resolve).once('error', reject));
async function bytesOf(res: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of res) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
async function download(h: DiskHouse, query: string): Promise<{ res: IncomingMessage; body: Buffer }> {
  const res = await answer(http.get(`${h.url}/export_raw_vdi?${query}`, { agent: false }));
  return { res, body: await bytesOf(res) };
}
async function upload(h: DiskHouse, query: string, data: Buffer, headers: http.OutgoingHttpHeaders = {}) {
  const req = put(`${h.url}/import_raw_vdi?${query}`, { 'content-length': data.length, ...headers });
  const answered = answer(req);
  req.end(data);
  const res = await answered;
  return { res, body: (await bytesOf(res)).toString() };
}

test('what is uploaded comes back; tasks count it', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, 8 * mib);
  const data = randomBytes(5 * mib);
  const task = await newTask(h);
  const { res } = await upload(h, `vdi=${vdi}&session_id=${session}&task_id=${task}&format=raw`, data);
  assert.equal(res.statusCode, 200);
  assert.equal(res.headers['task-id'], task);
  assert.equal((await ended(h, task)).status, 'success');
  const record = await h.root<Rec<'VDI'>>('VDI.get_record', vdi);
  assert.ok(record.physical_utilisation >= 5 * mib);

  const { res: out, body } = await download(h, `vdi=${record.uuid}&session_id=${session}`);
  assert.equal(out.headers['content-type'], 'application/octet-stream');
  assert.equal(out.headers['content-length'], String(8 * mib));
  assert.match(out.headers['content-disposition'] ?? '', new RegExp(`${record.uuid}\\.raw`));
  assert.ok(body.subarray(0, data.length).equals(data));
  assert.ok(body.subarray(data.length).every((b) => b === 0));
  assert.equal((await ended(h, out.headers['task-id'] as string)).status, 'success');
});

test('an upload of unknown length ends with the connection, every byte of it kept', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, 24 * mib);
  const data = randomBytes(20 * mib);
  const task = await newTask(h);
  const req = put(`${h.url}/import_raw_vdi?vdi=${vdi}&session_id=${session}&task_id=${task}`, {
    'content-length': '1125899906842624',
  });
  req.on('error', () => undefined);
  req.flushHeaders();
  const res = await answer(req);
  assert.equal(res.statusCode, 200);
  res.on('error', () => undefined);
  await new Promise<void>((resolve) => req.write(data, () => resolve()));
  req.destroy();
  assert.equal((await ended(h, task)).status, 'success');
  const { body } = await download(h, `vdi=${vdi}&session_id=${session}`);
  assert.ok(body.subarray(0, data.length).equals(data));
});

test('an upload that is cut off fails, and the disk keeps its content', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, 4 * mib);
  const before = randomBytes(4 * mib);
  await upload(h, `vdi=${vdi}&session_id=${session}`, before);
  const task = await newTask(h);
  const req = put(`${h.url}/import_raw_vdi?vdi=${vdi}&session_id=${session}&task_id=${task}`, {
    'content-length': 4 * mib,
  });
  req.on('error', () => undefined);
  await new Promise<void>((resolve) => req.write(randomBytes(mib), () => resolve()));
  req.destroy();
  const { status, error_info } = await ended(h, task);
  assert.deepEqual([status, error_info[0]], ['failure', 'VDI_IO_ERROR']);
  const { body } = await download(h, `vdi=${vdi}&session_id=${session}`);
  assert.ok(body.equals(before));
});

test('more than the disk holds is refused', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, mib);
  const task = await newTask(h);
  const { res, body } = await upload(h, `vdi=${vdi}&session_id=${session}&task_id=${task}`, Buffer.alloc(2 * mib, 7));
  assert.equal(res.statusCode, 500, body);
  assert.equal((await ended(h, task)).error_info[0], 'SR_BACKEND_FAILURE_77');
});

test('an empty upload without a task touches nothing', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, mib);
  const before = randomBytes(mib);
  await upload(h, `vdi=${vdi}&session_id=${session}`, before);
  assert.equal((await upload(h, `vdi=${vdi}&session_id=${session}`, Buffer.alloc(0))).res.statusCode, 200);
  // The same with the length of those that do not know theirs: they hang up at the answer.
  const req = put(`${h.url}/import_raw_vdi?vdi=${vdi}&session_id=${session}`, { 'content-length': '1125899906842624' });
  req.on('error', () => undefined);
  req.flushHeaders();
  const res = await answer(req);
  res.on('error', () => undefined);
  res.destroy();
  await ended(h, res.headers['task-id'] as string);
  const { body } = await download(h, `vdi=${vdi}&session_id=${session}`);
  assert.ok(body.equals(before));
});

test('a cancelled upload ends as cancelled', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, 4 * mib);
  const task = await newTask(h);
  const req = put(`${h.url}/import_raw_vdi?vdi=${vdi}&session_id=${session}&task_id=${task}`, {
    'content-length': 4 * mib,
  });
  req.on('error', () => undefined);
  await new Promise<void>((resolve) => req.write(randomBytes(mib), () => resolve()));
  for (;;) {
    const { allowed_operations } = await h.root<Rec<'task'>>('task.get_record', task);
    if (allowed_operations.includes('cancel')) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await h.root('task.cancel', task);
  const { status, error_info } = await ended(h, task);
  assert.deepEqual([status, error_info[0]], ['cancelled', 'TASK_CANCELLED'], error_info.join(' '));
  req.destroy();
});

test('refusals name what is wrong', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, mib);
  const snapshot = await h.root('VDI.snapshot', vdi);
  const ask = async (query: string, headers: http.OutgoingHttpHeaders = {}) =>
    (await upload(h, query, Buffer.alloc(10), headers)).res.statusCode;
  assert.equal(await ask(`vdi=${vdi}`), 401);
  assert.equal(await ask(`vdi=OpaqueRef:no&session_id=${session}`), 404);
  assert.equal(await ask(`session_id=${session}`), 400);
  assert.equal(await ask(`vdi=${snapshot}&session_id=${session}`), 500);
  assert.equal((await download(h, `vdi=${vdi}&session_id=${session}&format=floppy`)).res.statusCode, 404);
  const req = put(`${h.url}/import_raw_vdi?vdi=${vdi}&session_id=${session}`, { 'transfer-encoding': 'chunked' });
  const answered = answer(req);
  req.on('error', () => undefined);
  req.end(Buffer.alloc(10));
  assert.equal((await answered).statusCode, 501);
  const reader = h.running.api.services.sessions.create({
    user: 'reader',
    superuser: false,
    roles: ['read-only'],
    originator: 'test',
  }).ref;
  assert.equal(await ask(`vdi=${vdi}&session_id=${reader}`), 403);
});

test('the framing with places leaves zeroes between its pieces', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, 4 * mib);
  const head = (place: number, length: number) => {
    const b = Buffer.alloc(12);
    b.writeBigUInt64LE(BigInt(place));
    b.writeUInt32LE(length, 8);
    return b;
  };
  const [a, b] = [randomBytes(1000), randomBytes(2000)];
  const body = Buffer.concat([head(0, 1000), a, head(3 * mib, 2000), b, head(0, 0)]);
  const query = `vdi=${vdi}&session_id=${session}&chunked=true`;
  assert.equal((await upload(h, query, body)).res.statusCode, 200);
  const { body: out } = await download(h, `vdi=${vdi}&session_id=${session}`);
  assert.ok(out.subarray(0, 1000).equals(a));
  assert.ok(out.subarray(1000, 3 * mib).every((x) => x === 0));
  assert.ok(out.subarray(3 * mib, 3 * mib + 2000).equals(b));
  const broken = await upload(h, query, Buffer.concat([head(5 * mib, 10), a.subarray(0, 10), head(0, 0)]));
  assert.equal(broken.res.statusCode, 500);
  assert.match(broken.body, /5242880/);
});

test('a CD image is uploaded into the repository for them', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const sr = (await h.root<string[]>('SR.get_by_name_label', 'ISO images'))[0];
  const data = randomBytes(3 * mib);
  const fields = { type: 'user', sharable: false, read_only: false, other_config: {}, name_label: 'up.iso' };
  const vdi = await h.root('VDI.create', { ...fields, SR: sr, virtual_size: data.length });
  const { res, body } = await upload(h, `vdi=${vdi}&session_id=${session}`, data);
  assert.equal(res.statusCode, 200, body);
  assert.ok(readFileSync(join(h.data, 'iso', 'up.iso')).equals(data));
  await h.root('SR.scan', sr);
  assert.deepEqual(await h.root('SR.get_VDIs', sr), [vdi]);
});

test('a client that hangs up during a download fails the task and frees the disk', async () => {
  await using h = await diskHouse();
  const session = h.running.api.rootSession('test');
  const vdi = await newDisk(h, 64 * mib);
  await upload(h, `vdi=${vdi}&session_id=${session}`, randomBytes(64 * mib));
  const task = await newTask(h);
  const res = await answer(
    http.get(`${h.url}/export_raw_vdi?vdi=${vdi}&session_id=${session}&task_id=${task}`, { agent: false }),
  );
  res.on('error', () => undefined);
  res.destroy();
  assert.equal((await ended(h, task)).status, 'failure');
  await h.root('VDI.destroy', vdi);
});
