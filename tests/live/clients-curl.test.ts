/** curl brings disks and takes them back, trusting nothing but the host's own certificate. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { login } from './clients/login.ts';
import { type Ended, run, without } from './clients/program.ts';
import { type LiveHost, liveHost } from './host.ts';

const absent = without({ curl: 'curl' });
const mib = 1024 * 1024;

/** A folder of the test's own. */
function workplace(): Disposable & { file(name: string): string } {
  const folder = mkdtempSync(join(tmpdir(), 'gh-curl-'));
  return {
    file: (name) => join(folder, name),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
async function newDisk(h: LiveHost, bytes: number): Promise<string> {
  const [SR] = (await h.call('SR.get_by_name_label', 'Local storage')) as string[];
  const fields = { type: 'user', sharable: false, read_only: false, other_config: {}, name_label: 'from curl' };
  return (await h.call('VDI.create', { ...fields, SR, virtual_size: bytes })) as string;
}
const authority = (h: LiveHost) => ['--cacert', join(h.data, 'tls', 'server.crt')];
/** The status is the last line of stdout. */
const quiet = ['--silent', '--show-error', '--write-out', '\\n%{http_code}'];
const status = ({ out, err }: Ended) => `${out.toString().trim().split('\n').at(-1)}${err}`;

test('curl brings a disk and takes it back over TLS', { skip: absent }, async () => {
  await using h = await liveHost({ hypervisor: 'simulator', tls: true });
  using at = workplace();
  const session = await login(h);
  const content = Buffer.concat([randomBytes(5 * mib), Buffer.alloc(4 * mib), randomBytes(3 * mib)]);
  writeFileSync(at.file('disk'), content);
  const vdi = await newDisk(h, content.length);
  const query = `?vdi=${vdi}&session_id=${session}`;

  const put = [...quiet, ...authority(h), '-T', at.file('disk'), `${h.tlsUrl}/import_raw_vdi${query}&format=raw`];
  assert.equal(status(await run('curl', put)), '200');
  const get = [...quiet, ...authority(h), '-o', at.file('back'), `${h.tlsUrl}/export_raw_vdi${query}&format=raw`];
  assert.equal(status(await run('curl', get)), '200');
  assert.ok(readFileSync(at.file('back')).equals(content), 'each byte as it was');

  // With name and password instead of a session, given on stdin; and its UUID instead of the reference.
  const uuid = await h.call('VDI.get_uuid', vdi);
  const named = [...quiet, ...authority(h), '-K', '-', '-o', at.file('named')];
  const ended = await run('curl', [...named, `${h.tlsUrl}/export_raw_vdi?vdi=${uuid}`], {
    input: `user = "root:${h.password}"\n`,
  });
  assert.equal(status(ended), '200');
  assert.ok(readFileSync(at.file('named')).equals(content));
});

test('what curl is refused, it can tell why', { skip: absent }, async () => {
  await using h = await liveHost({ hypervisor: 'simulator', tls: true });
  using at = workplace();
  const vdi = await newDisk(h, mib);
  writeFileSync(at.file('disk'), randomBytes(2 * mib));
  const stranger = await run('curl', [...quiet, `${h.tlsUrl}/`]);
  assert.equal(stranger.code, 60, 'a certificate that nobody vouches for is not believed');
  const anonymous = await run('curl', [
    ...quiet,
    ...authority(h),
    '-T',
    at.file('disk'),
    `${h.tlsUrl}/import_raw_vdi?vdi=${vdi}`,
  ]);
  assert.equal(status(anonymous), '401');
  const query = `?vdi=${vdi}&session_id=${await login(h)}`;
  const large = await run('curl', [
    ...quiet,
    ...authority(h),
    '-T',
    at.file('disk'),
    `${h.tlsUrl}/import_raw_vdi${query}`,
  ]);
  assert.equal(status(large), '500');
  // From a pipe curl does not know the length, and sends in pieces of HTTP: that is refused, not misread.
  const piped = await run('curl', [...quiet, ...authority(h), '-T', '-', `${h.tlsUrl}/import_raw_vdi${query}`], {
    input: 'x',
  });
  assert.equal(status(piped), '501');
});
