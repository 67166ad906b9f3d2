/** Every line of docs/quick.md, typed into a shell, against a host on the simulator. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { bin, type LiveHost, liveHost } from './host.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/quick.md'), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'guesthouse-quick-'));

interface Section {
  readonly title: string;
  readonly script: string;
}
/** The sections that hold lines to type. */
const sections: readonly Section[] = page
  .split(/^## /m)
  .slice(1)
  .flatMap((text) => {
    const script = /^```sh\n(.*?)^```$/ms.exec(text)?.[1];
    return script === undefined ? [] : [{ title: text.slice(0, text.indexOf('\n')), script }];
  });

/** What each section must print, by its title. */
const prints: Readonly<Record<string, RegExp>> = {
  xe: /name-label \( RW\) +: quick\n +power-state \( RO\): running/,
  'A console': /hello from/,
  'XenAPI by XML-RPC': /^quick Running$/m,
  'XenAPI by JSON-RPC': /"result":\["OpaqueRef:[0-9a-f-]{36}"\]/,
  'Disks over HTTP': /^$/,
  'The Xen 1.2 tools': /^\d+ +quick /m,
  xenvm: /^running$/m,
  'xenopsd and xenops-cli': /one/,
  'message-switch': /^hello$/m,
  xenstored: /^world$/m,
  'The end': /2 guests were shut down/,
};
const programs: Readonly<Record<string, string>> = {
  'XenAPI by XML-RPC': 'python3',
  'XenAPI by JSON-RPC': 'curl',
  'Disks over HTTP': 'curl',
  xenstored: 'xenstore-read',
};
const lacks = ({ title }: Section): string | false => {
  const program = programs[title];
  if (program === undefined || spawnSync(program, ['--version']).error === undefined) return false;
  return `${program} is not installed`;
};

describe('docs/quick.md', () => {
  let host: LiveHost;
  before(async () => {
    host = await liveHost({ hypervisor: 'simulator', demo: true });
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  });

  test('every section is tried', () => {
    assert.deepEqual(sections.map((s) => s.title).sort(), Object.keys(prints).sort());
  });
  for (const section of sections)
    test(section.title, { skip: lacks(section), timeout: 120_000 }, async () => {
      const script = section.script
        .replaceAll('http://127.0.0.1:8080', host.url)
        .replaceAll('/tmp/host', host.data)
        .replaceAll('/tmp/quick', join(dir, 'q'));
      const env = { ...process.env, GUESTHOUSE_DATA: host.data, PATH: `${bin('')}:${process.env['PATH']}` };
      const { stdout, stderr } = await run('bash', ['-e', '-c', script], { cwd: root, env });
      assert.match(`${stdout}${stderr}`, prints[section.title] ?? /never/);
    });
});
