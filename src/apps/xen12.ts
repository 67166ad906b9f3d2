/** The Xen 1.2 tools as commands: `xen12.ts NAME ARGS…` speaks to the local host's domain manager. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createClient } from '../client/client.ts';
import { nodeTransport } from '../client/node-transport.ts';
import { xenopsContract } from '../contracts/xenops.ts';
import { domControl } from '../doors/xen12/dom-control.ts';
import { domCreate } from '../doors/xen12/dom-create.ts';
import type { Tools } from '../doors/xen12/io.ts';
import { natEnable } from '../doors/xen12/nat.ts';
import { readConsoles } from '../doors/xen12/read-console.ts';
import { vdTool } from '../doors/xen12/vd-tool.ts';
import { VirtualDisks } from '../doors/xen12/virtual-disks.ts';
import { xendomains } from '../doors/xen12/xendomains.ts';
import { setKernel } from '../network/firewall.ts';
import { runTool } from '../network/tool.ts';
import { connectContract } from '../rpc/client.ts';
import { blockDevices } from './block-devices.ts';
import { diskFiles } from './disk-files.ts';
import { defaultData, places } from './places.ts';

const [name = '', ...args] = process.argv.slice(2);
const at = places(defaultData());
const auto = process.env['XEN12_AUTO'] ?? '/etc/xc/auto';
const lock = join(at.run, 'xendomains');

// What is the kernel's alone needs no host.
if (name !== 'xen_nat_enable' && !existsSync(at.xenopsSocket)) {
  process.stderr.write(`${name}: no host runs here (${at.data}); start one with "guesthouse up"\n`);
  process.exit(1);
}
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error('interrupted')));
const xenops = connectContract(xenopsContract, at.xenopsSocket);
const tools: Tools = {
  xenops,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  read: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined; // the caller looks elsewhere, or says that there is none
    }
  },
  exists: existsSync,
  signal: stop.signal,
  uuid: randomUUID,
  bridge: process.env['XEN12_BRIDGE'] ?? 'xenbr0',
  virtualDisk: async (id) => onDisks((disks) => disks.media(id)),
  async sizeOf(media) {
    if (media.kind === 'vdi') return onDisks((disks) => disks.sizeOf(media.vdi));
    if (media.kind === 'files') return undefined;
    const sectors = blockDevices().extentOf(media.path)?.nr_sectors;
    return sectors === undefined ? undefined : sectors * 512;
  },
};
/** Virtual disks are XenAPI's: a session of root over the local socket. */
async function onDisks<T>(f: (disks: VirtualDisks, session: string) => Promise<T>): Promise<T> {
  const transport = nodeTransport({ socketPath: at.xapiSocket });
  const session = String(await transport.call('session.login_with_password', ['root', '', '1.0', 'xen12']));
  const client = createClient(transport, session);
  try {
    return await f(new VirtualDisks({ client, now: () => Math.floor(Date.now() / 1000) }), session);
  } finally {
    await client.session.logout({});
    transport.close();
  }
}
const commands: Readonly<Record<string, () => Promise<number>>> = {
  xc_dom_create: () => domCreate(args, tools),
  xc_dom_control: () => domControl(args, tools),
  xc_vd_tool: () =>
    onDisks((disks, session) =>
      vdTool(args, { ...tools, disks, ...diskFiles({ address: { socketPath: at.xapiSocket }, session }) }),
    ),
  xen_nat_enable: () =>
    natEnable({
      ...tools,
      uplink: process.env['XEN12_UPLINK'],
      run: runTool,
      forward: () => setKernel('ip_forward', '1'),
    }),
  xen_read_console: () => readConsoles({ ...tools, signal: stop.signal }),
  xendomains: () =>
    xendomains(args, {
      ...tools,
      auto: () => (existsSync(auto) ? readdirSync(auto).sort() : []).map((file) => join(auto, file)),
      lock: {
        has: () => existsSync(lock),
        set() {
          mkdirSync(dirname(lock), { recursive: true });
          writeFileSync(lock, '');
        },
        clear: () => rmSync(lock, { force: true }),
      },
    }),
};
const status = (await commands[name]?.()) ?? 2;
process.exitCode = status < 0 ? 255 : status;
xenops.close();
