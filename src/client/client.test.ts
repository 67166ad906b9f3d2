import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Ref } from '../datamodel/dsl.ts';
import { ApiError, fail } from '../datamodel/errors.ts';
import { createClient, login, messageNamed, positional } from './client.ts';
import { events, runTask, taskEnd, taskResult } from './events.ts';
import { nodeTransport } from './node-transport.ts';
import { fetchTransport, jsonRpcResult, localTransport, type Transport } from './transport.ts';

const vm = 'OpaqueRef:vm' as Ref<'VM'>;
const task = 'OpaqueRef:task' as Ref<'task'>;
/** A transport that remembers what it was asked. */
function recorder(answer: (method: string, params: readonly unknown[]) => unknown = () => '') {
  const calls: [string, ...unknown[]][] = [];
  const transport = localTransport(async (method, params) => {
    calls.push([method, ...params]);
    await new Promise((resolve) => setImmediate(resolve));
    return answer(method, params);
  });
  return { calls, transport };
}

test('named arguments travel in wire order, after the session', async () => {
  const { calls, transport } = recorder();
  const client = createClient(transport, 'S');
  await client.VM.start({ force: true, start_paused: false, vm });
  await client.VM.set_name_label({ value: 'n', self: vm });
  await client.VM.add_tags({ self: vm, value: 't' });
  await client.VM.get_all_records();
  await client.$.call('VM.snapshot', { vm, new_name: 's' });
  assert.deepEqual(calls, [
    ['VM.start', 'S', vm, false, true],
    ['VM.set_name_label', 'S', vm, 'n'],
    ['VM.add_tags', 'S', vm, 't'],
    ['VM.get_all_records', 'S'],
    ['VM.snapshot', 'S', vm, 's'],
  ]);
});

test('what is missing, unknown or undeclared is refused before it travels', async () => {
  const { calls, transport } = recorder();
  const { $ } = createClient(transport, 'S');
  await assert.rejects($.call('VM.start', { vm }), /VM\.start needs the parameter start_paused/);
  await assert.rejects($.call('VM.pause', { vm, hard: true }), /no parameter hard; it has vm/);
  await assert.rejects($.call('VM.strat'), (e: ApiError) => e.code === 'MESSAGE_METHOD_UNKNOWN');
  assert.deepEqual(calls, []);
});

test('a default in the middle is sent when something after it is given', () => {
  const copy = messageNamed('VDI.copy');
  assert.deepEqual(positional(copy, 'S', { vdi: 'V' }), ['S', 'V']);
  assert.deepEqual(positional(copy, 'S', { vdi: 'V', into_vdi: 'I' }), [
    'S',
    'V',
    'OpaqueRef:NULL',
    'OpaqueRef:NULL',
    'I',
  ]);
});

test('a client is no promise, though any name is a class', async () => {
  const { transport } = recorder(() => 'OpaqueRef:session');
  const client = await login(transport, 'root', 'p');
  assert.equal(client.$.session, 'OpaqueRef:session');
});

/** Tasks that go through these states, one a call. */
const states = (...list: Record<string, unknown>[]) => {
  let n = 0;
  return recorder((method) => {
    if (method === 'event.from') {
      const snapshot = {
        status: 'pending',
        progress: 0,
        result: '',
        error_info: [],
        ...list[Math.min(n++, list.length - 1)],
      };
      return { events: [{ id: '1', class: 'task', operation: 'mod', ref: task, snapshot }], token: `t${n}` };
    }
    return method.startsWith('Async.') ? task : '';
  });
};

test('a task is followed to its result, and removed', async () => {
  const { calls, transport } = states(
    { progress: 0.5 },
    { progress: 1, status: 'success', result: '<value>OpaqueRef:new</value>' },
  );
  const seen: number[] = [];
  const result = await runTask(
    createClient(transport, 'S'),
    'VM.clone',
    { vm, new_name: 'x' },
    { onProgress: (p) => seen.push(p) },
  );
  assert.equal(result, 'OpaqueRef:new');
  assert.deepEqual(seen, [0.5, 1]);
  assert.deepEqual(
    calls.map(([m]) => m),
    ['Async.VM.clone', 'event.from', 'event.from', 'task.destroy'],
  );
  assert.deepEqual(calls[2]?.slice(2), [[`task/${task}`], 't1', 30]);
});

test('a failed task rejects with its own error, a cancelled one as such', async () => {
  const failed = states({ status: 'failure', error_info: ['VM_IS_TEMPLATE', vm] });
  await assert.rejects(
    taskEnd(createClient(failed.transport, 'S'), task),
    (e: ApiError) => e.wire.join() === `VM_IS_TEMPLATE,${vm}`,
  );
  const cancelled = states({ status: 'cancelled' });
  await assert.rejects(
    taskEnd(createClient(cancelled.transport, 'S'), task),
    (e: ApiError) => e.code === 'TASK_CANCELLED',
  );
});

test('aborting cancels the task and waits on for its end', async () => {
  const stop = new AbortController();
  const { calls, transport } = states({}, { status: 'cancelled' });
  const end = taskEnd(createClient(transport, 'S'), task, { signal: stop.signal });
  stop.abort();
  await assert.rejects(end, (e: ApiError) => e.code === 'TASK_CANCELLED');
  assert.ok(calls.some(([m, , t]) => m === 'task.cancel' && t === task));
});

test('results of tasks are text, unescaped', () => {
  assert.equal(taskResult('<value></value>'), '');
  assert.equal(taskResult('<value>a &lt;b&gt; &amp;amp;</value>'), 'a <b> &amp;');
  assert.equal(taskResult(''), '');
});

test('events end quietly when they are no longer wanted, even while a call blocks', async () => {
  const stop = new AbortController();
  const transport = localTransport(() => new Promise(() => undefined));
  const all = (async () => {
    for await (const _ of events(createClient(transport, 'S'), ['*'], { signal: stop.signal })) assert.fail();
    return 'ended';
  })();
  stop.abort();
  assert.equal(await all, 'ended');
});

test('answers that are none are errors of the API', () => {
  assert.equal(jsonRpcResult('{"jsonrpc":"2.0","id":1,"result":null}'), null);
  for (const text of ['', '<html>', '[]', '1', '{}'])
    assert.throws(
      () => jsonRpcResult(text),
      (e: ApiError) => e.code === 'INTERNAL_ERROR',
    );
  const error = '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"VM_IS_TEMPLATE","data":["r"]}}';
  assert.throws(
    () => jsonRpcResult(error),
    (e: ApiError) => e.wire.join() === 'VM_IS_TEMPLATE,r',
  );
});

test('both HTTP transports carry calls, errors and refusals', async () => {
  const server = createServer(async (req, res) => {
    let body = '';
    for await (const part of req) body += part;
    const { method, params, id } = JSON.parse(body);
    if (method === 'http.500') res.writeHead(500).end('<p>no</p>');
    else if (method === 'fails') {
      const { wire } = fail('VM_IS_TEMPLATE', { vm: 'r' });
      res.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: 1, message: wire[0], data: wire.slice(1) } }));
    } else
      res.end(JSON.stringify({ jsonrpc: '2.0', id, result: { method, params, type: req.headers['content-type'] } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const node = nodeTransport({ host: '127.0.0.1', port });
  const both: Transport[] = [node, fetchTransport(`http://127.0.0.1:${port}`)];
  for (const t of both) {
    assert.deepEqual(await t.call('VM.é', ['S', 1, { a: [true] }]), {
      method: 'VM.é',
      params: ['S', 1, { a: [true] }],
      type: 'application/json',
    });
    await assert.rejects(t.call('fails', []), (e: ApiError) => e instanceof ApiError && e.code === 'VM_IS_TEMPLATE');
    await assert.rejects(t.call('http.500', []), /answered 500: <p>no<\/p>/);
  }
  node.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('types offer setters for what clients may set, and nothing else', () => {
  const { transport } = recorder();
  const client = createClient(transport, 'S');
  const offered = () => [
    client.VM.set_name_label({ self: vm, value: 'n' }),
    client.VM.add_to_HVM_boot_params({ self: vm, key: 'order', value: 'c' }),
    client.VM.add_tags({ self: vm, value: 'x' }),
    client.VM.remove_tags({ self: vm, value: 'x' }),
    // @ts-expect-error: the server's
    client.VM.set_power_state({ self: vm, value: 'Running' }),
    // @ts-expect-error: given at creation
    client.VIF.set_MAC({ self: 'OpaqueRef:x', value: '' }),
    // @ts-expect-error: no map
    client.VM.add_to_name_label({ self: vm, key: 'a', value: 'b' }),
    // @ts-expect-error: no set
    client.VM.add_name_label({ self: vm, value: 'b' }),
  ];
  assert.equal(typeof offered, 'function');
});
