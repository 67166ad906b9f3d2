/** Installers fetched from a server on this machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { isKind } from '../contracts/contract.ts';
import { openBootloader } from './server.ts';
import { smallKernel } from './testing.ts';

type Answer = Buffer | string | ((req: IncomingMessage, res: ServerResponse) => void);
const kernel = smallKernel();
const ramdisk = Buffer.from('ramdisk');

async function serving(files: Readonly<Record<string, Answer>>) {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`);
    const answer = files[req.url ?? ''];
    if (typeof answer === 'function') return answer(req, res);
    res.writeHead(answer === undefined ? 404 : 200);
    res.end(req.method === 'HEAD' ? undefined : answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'gh-repo-'));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const bootloader = await openBootloader({ clock: systemClock, log: silentLog });
  return {
    url,
    asked,
    folder,
    install: (installRepository: string, installHints = {}, signal?: AbortSignal) =>
      bootloader.kernel.extract(
        {
          loader: 'eliloader',
          args: '',
          cmdline: 'auto',
          disk: null,
          disc: null,
          folder,
          installRepository,
          installHints,
        },
        signal ? { signal } : {},
      ),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
const refused = (kind: string, words: RegExp) => (e: unknown) =>
  isKind(e, kind) && words.test(e.message) ? true : assert.fail(String(e));

const layouts: Readonly<
  Record<string, { files: Record<string, Answer>; hints?: Record<string, string>; base?: string }>
> = {
  'a Debian mirror, the kernel for Xen first': {
    files: {
      '/debian/dists/bookworm/main/installer-amd64/current/images/netboot/xen/vmlinuz': kernel,
      '/debian/dists/bookworm/main/installer-amd64/current/images/netboot/xen/initrd.gz': ramdisk,
      '/debian/dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux': 'no',
    },
    hints: { release: 'bookworm' },
    base: '/debian',
  },
  'a Debian mirror without kernels for Xen': {
    files: {
      '/dists/stable/main/installer-arm64/current/images/netboot/debian-installer/arm64/linux': kernel,
      '/dists/stable/main/installer-arm64/current/images/netboot/debian-installer/arm64/initrd.gz': ramdisk,
    },
    hints: { arch: 'arm64' },
  },
  'a Red Hat tree with its own list': {
    files: {
      '/os/.treeinfo':
        '[general]\nfamily = Fedora\n[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/other/initrd.img\n',
      '/os/images/pxeboot/vmlinuz': kernel,
      '/os/images/other/initrd.img': ramdisk,
    },
    base: '/os/',
  },
  'a SUSE tree': { files: { '/boot/x86_64/loader/linux': kernel, '/boot/x86_64/loader/initrd': ramdisk } },
  'a redirect': {
    files: {
      '/xen/vmlinuz': (_, res) => res.writeHead(302, { location: '/elsewhere/k' }).end(),
      '/elsewhere/k': kernel,
      '/xen/initrd.gz': ramdisk,
    },
  },
};
for (const [name, { files, hints, base = '' }] of Object.entries(layouts))
  test(name, async () => {
    await using s = await serving(files);
    const boot = await s.install(`${s.url}${base}`, hints);
    assert.ok(readFileSync(boot.kernel).equals(kernel));
    assert.deepEqual([boot.ramdisk && readFileSync(boot.ramdisk, 'utf8'), boot.cmdline], ['ramdisk', 'auto']);
  });

test('what cannot be had is told, and nothing is left', async () => {
  const cut = (_: IncomingMessage, res: ServerResponse) => {
    res.writeHead(200, { 'content-length': '4096' });
    res.write(kernel.subarray(0, 2000), () => res.destroy());
  };
  await using s = await serving({
    '/cut/xen/vmlinuz': (req, res) => (req.method === 'HEAD' ? res.writeHead(200).end() : cut(req, res)),
    '/half/xen/vmlinuz': kernel,
    '/bogus/xen/vmlinuz': '<html>Sign in</html>',
    '/bogus/xen/initrd.gz': ramdisk,
    '/large/xen/vmlinuz': (req, res) => {
      res.writeHead(200);
      if (req.method === 'HEAD') return void res.end();
      const fill = () => {
        while (!res.destroyed && res.write(Buffer.alloc(1 << 20)));
      };
      res.on('drain', fill);
      fill();
    },
    '/evil/.treeinfo': '[images-x86_64]\nkernel = ../../secret\ninitrd = http://elsewhere/\n',
    '/evil/../../secret': kernel,
  });
  const at = (path: string) => s.install(`${s.url}${path}`);
  await assert.rejects(
    at('/nothing'),
    refused('Nothing_to_boot', /has no installer that is known .*such as dists\/stable/),
  );
  await assert.rejects(at('/half'), refused('Nothing_to_boot', /xen\/initrd.gz cannot be fetched: .*404/));
  await assert.rejects(at('/cut'), refused('Nothing_to_boot', /xen\/vmlinuz cannot be fetched/));
  await assert.rejects(at('/bogus'), refused('Nothing_to_boot', /cannot be started: it is neither a Linux kernel/));
  await assert.rejects(at('/large'), refused('Nothing_to_boot', /cannot be fetched: it has more than 268435456 bytes/));
  await assert.rejects(at('/evil'), refused('Nothing_to_boot', /has no installer/));
  assert.ok(!s.asked.some((line) => line.includes('secret')));
  await assert.rejects(s.install('ftp://example.org/debian'), refused('Nothing_to_boot', /begins with http/));
  await assert.rejects(s.install('http://127.0.0.1:1/'), refused('Nothing_to_boot', /cannot be fetched: .*onnect/));
  assert.deepEqual(readdirSync(s.folder), []);
});
test('a server that does not answer holds nobody who has given up', async () => {
  const asked = Promise.withResolvers<void>();
  await using s = await serving({ '/.treeinfo': () => asked.resolve() });
  const abort = new AbortController();
  const work = s.install(s.url, {}, abort.signal);
  await asked.promise;
  abort.abort();
  await assert.rejects(work, refused('Cancelled', /./));
});

test('a kernel whose server tells its length before it is asked for may be long', async () => {
  const long = Buffer.concat([kernel, Buffer.alloc(3 << 20)]);
  const tell =
    (answer: Buffer): Answer =>
    (req, res) => {
      res.writeHead(200, { 'content-length': answer.length });
      res.end(req.method === 'HEAD' ? undefined : answer);
    };
  await using s = await serving({ '/netboot/xen/vmlinuz': tell(long), '/netboot/xen/initrd.gz': tell(ramdisk) });
  const found = await s.install(s.url);
  assert.equal(readFileSync(found.kernel).length, long.length);
});
