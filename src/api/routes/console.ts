/**
 * `/console`: the screen (RFB) or the serial line (VT100) of a running VM. `CONNECT` gives the raw bytes after the head of an answer;
 * `GET` with an upgrade gives them as binary messages of a WebSocket. A console ends with the guest, the client or the session.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';
import type { Ref } from '../../datamodel/dsl.ts';
import { nullRef } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { House } from '../context.ts';
import { HttpError, type Route, type SocketCall } from '../routes.ts';
import { translateError } from '../translate/errors.ts';

export function consoleRoutes(house: House): readonly Route[] {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has('binary') ? 'binary' : ([...offered][0] ?? false)),
  });
  return [
    {
      method: 'CONNECT',
      path: '/console',
      role: 'vm-operator',
      permission: 'connect_console',
      handle: (call) => overConnect(house, call),
    },
    {
      method: 'UPGRADE',
      path: '/console',
      role: 'vm-operator',
      permission: 'connect_console_ws',
      handle: (call) => overWebSocket(house, sockets, call),
    },
  ];
}

interface Found {
  readonly vm: Ref<'VM'>;
  readonly protocol: 'vt100' | 'rfb';
}

/** The console that `ref` or `uuid` names; a VM stands for its screen, or its serial line when it has no screen. */
function find({ db }: House, { url }: SocketCall): Found {
  const ref = url.searchParams.get('ref') ?? '';
  const uuid = url.searchParams.get('uuid') ?? '';
  const name = ref === '' ? uuid : ref;
  if (name === '') throw new HttpError(400, 'name the console or its VM: ?uuid=UUID or ?ref=REFERENCE');
  const console = ref === '' ? db.findByUuid('console', uuid) : ref;
  const row = console === undefined ? undefined : db.find('console', console);
  if (row) {
    if (row.protocol === 'rdp') throw new HttpError(404, 'consoles of the protocol rdp are served by the guest itself');
    return { vm: row.VM, protocol: row.protocol };
  }
  const vm = ref === '' ? db.findByUuid('VM', uuid) : ref;
  const record = vm === undefined ? undefined : db.find('VM', vm);
  if (!vm || !record) throw new HttpError(404, `there is no console and no VM ${name}`);
  const protocols = record.consoles.map((r) => db.get('console', r).protocol);
  return { vm: vm as Ref<'VM'>, protocol: protocols.includes('rfb') || !protocols.includes('vt100') ? 'rfb' : 'vt100' };
}

/** A connection to a console in the hypervisor. */
interface Opened {
  readonly vm: Ref<'VM'>;
  readonly console: Socket;
}
async function open(house: House, call: SocketCall): Promise<Opened> {
  const { vm, protocol } = find(house, call);
  const record = house.db.get('VM', vm);
  const { superuser, roles } = call.session;
  if (record.is_control_domain && !superuser && !roles.has('pool-admin')) {
    const permission = 'http/connect_console/host_console';
    throw fail('RBAC_PERMISSION_DENIED', { permission, message: 'This needs the role pool-admin' });
  }
  if (record.power_state !== 'Running' && record.power_state !== 'Paused') {
    const actual = record.power_state.toLowerCase();
    throw fail('VM_BAD_POWER_STATE', { vm, expected: 'running, paused', actual });
  }
  const path = await socketOf(house, record.uuid, protocol);
  if (path === undefined) throw new HttpError(404, `the VM has no console of the protocol ${protocol}`);
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch (cause) {
    throw new HttpError(503, `the console cannot be reached: ${String(cause)}`);
  }
  return { vm, console: socket };
}

async function socketOf(house: House, id: string, protocol: string): Promise<string | undefined> {
  try {
    const { state } = await house.xenops.vm.stat({ id });
    return state.consoles.find((c) => c.protocol === protocol)?.socket;
  } catch (error) {
    throw translateError(house.db, error, nullRef);
  }
}

async function overConnect(house: House, call: SocketCall): Promise<void> {
  const opened = await open(house, call);
  const { socket, head } = call;
  socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: no-cache, no-store\r\n\r\n');
  if (head.length > 0) opened.console.write(head);
  await joined(house, call, socket, opened);
}

async function overWebSocket(house: House, sockets: WebSocketServer, call: SocketCall): Promise<void> {
  const opened = await open(house, call);
  const { req, socket, head } = call;
  const ws = await new Promise<Duplex | undefined>((resolve) => {
    socket.once('close', () => resolve(undefined));
    sockets.handleUpgrade(req, socket, head, (made) => resolve(createWebSocketStream(made)));
  });
  if (!ws) {
    opened.console.destroy();
    return;
  }
  await joined(house, call, ws, opened);
}

/**
 * Passes bytes both ways until one side, the session or the VM ends; then both are closed. What was said before is still
 * delivered.
 */
async function joined(
  { db }: House,
  { session, socket }: SocketCall,
  client: Duplex,
  { vm, console }: Opened,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const lives = () => ['Running', 'Paused'].includes(db.find('VM', vm)?.power_state ?? '');
    const unwatch = db.watch((events) => {
      if (events.some((e) => e.ref === vm) && !lives()) console.end(() => console.destroy());
    });
    const stop = () => {
      unwatch();
      session.ended.removeEventListener('abort', stop);
      client.destroy();
      console.destroy();
      resolve();
    };
    for (const side of [client, socket]) side.once('close', stop);
    client.on('error', stop);
    console.on('error', stop);
    console.once('close', () => client.end(stop));
    client.once('end', () => console.end());
    session.ended.addEventListener('abort', stop, { once: true });
    if (session.ended.aborted) return stop();
    client.pipe(console, { end: false });
    console.pipe(client, { end: false });
  });
}
