/** Debian's installer, from a mirror over HTTP, on real QEMU: its first screen is on the serial console. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { consoleLog, eventually } from './guest-shell.ts';
import { bin, cannotRun, liveHost } from './host.ts';

const run = promisify(execFile);
const images = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';
const missing = existsSync(images) ? undefined : 'the package debian-installer-12-netboot-amd64 is not installed';

/** The part of a mirror that holds the installer. */
async function mirror() {
  const folder = '/debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/';
  const asked: string[] = [];
  const server = createServer((req, res) => {
    const { url = '', method } = req;
    const name = url.startsWith(folder) ? url.slice(folder.length) : '';
    const found = ['linux', 'initrd.gz'].includes(name) ? join(images, name) : undefined;
    if (found && method === 'GET') asked.push(name);
    res.writeHead(found ? 200 : 404, found ? { 'content-length': statSync(found).size } : {});
    if (found && method === 'GET') createReadStream(found).pipe(res);
    else res.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    asked,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/debian`,
    [Symbol.dispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

test("vm-install of Debian reaches its installer's first screen", {
  skip: missing ?? cannotRun() ?? false,
  timeout: 1_500_000,
}, async () => {
  await using host = await liveHost();
  using repository = await mirror();
  const env = { ...process.env, GUESTHOUSE_DATA: host.data };
  const xe = async (...args: string[]) => (await run(bin('xe'), args, { env })).stdout.trim();
  const template = await xe('template-list', 'name-label=Debian Bookworm 12', '--minimal');
  const vm = await xe('vm-install', `template-uuid=${template}`, 'new-name-label=bookworm');
  await xe('vm-param-set', `uuid=${vm}`, `other-config:install-repository=${repository.url}`);
  const network = (await xe('network-list', 'params=uuid', '--minimal')).split(',')[0];
  await xe('vif-create', `vm-uuid=${vm}`, `network-uuid=${network}`, 'device=0');
  await xe('vm-start', `uuid=${vm}`);
  assert.deepEqual(repository.asked, ['linux', 'initrd.gz']);
  // An emulated installer takes minutes on a busy machine.
  const said = () => readFileSync(consoleLog(host.data, vm), 'latin1');
  await eventually("the installer's first screen", () => /Select a language[\s\S]*English/.test(said()), 1_400_000);
  await xe('vm-uninstall', `uuid=${vm}`, '--force');
});
