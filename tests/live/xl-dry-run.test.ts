/** Our reader of xl files beside xl's own: `xl -N create` prints how it understands each file. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { readXl } from '../../src/wire/xl-config.ts';
import { mutations } from '../../src/wire/xl-corpus.ts';
import { XlError } from '../../src/wire/xl-syntax.ts';
import { cannotDryRun, DryRun } from './xl/dry-run.ts';
import { xlFile } from './xl/files.ts';
import { viewOfOurs, viewOfXl } from './xl/views.ts';

const skip = cannotDryRun() ?? false;
const ours = (text: string) => viewOfOurs(readXl('file', text).domain);
async function compare(xl: DryRun, text: string): Promise<void> {
  const understood = await xl.ask(text);
  assert.ok('json' in understood, `xl refuses: ${'refusal' in understood ? understood.refusal : ''}\n${text}`);
  assert.deepEqual(ours(text), viewOfXl(understood.json), text);
}

test('the examples of Xen and of the documentation mean what they mean to xl', { skip }, async () => {
  using xl = new DryRun();
  const folder = '/etc/xen';
  const shipped = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('xlexample.')) : [];
  // One of them wants a window on the host's own screen, which is refused here by name.
  const texts = shipped.map((name) => readFileSync(`${folder}/${name}`, 'utf8').replace(/^sdl = 1$/m, ''));
  const seed = `name='myfirstvm'
type='hvm'
disk=[ 'phy:/dev/loop0,hda,w', ',hdb:cdrom,r' ]
vif=[ 'mac=00:16:3E:74:3d:77,model=rtl8139,bridge=xenbr0', '' ]
pci=[  ]
`;
  for (const text of [...texts, seed]) await compare(xl, text);
});

test('files of every key that changes something mean what they mean to xl', { skip, timeout: 300_000 }, async () => {
  using xl = new DryRun();
  await fc.assert(
    fc.asyncProperty(xlFile, (text) => compare(xl, text)),
    { numRuns: Number(process.env['XL_FILES'] ?? 400) },
  );
});

test('of files that are nearly right, those that both take mean the same', { skip, timeout: 300_000 }, async () => {
  using xl = new DryRun();
  let both = 0;
  for (const mutated of mutations(7, 4000)) {
    const text = `type='hvm'\nname='x'\n${mutated}`;
    const view = taken(text);
    const understood = view && (await xl.ask(text));
    if (!understood || !('json' in understood)) continue;
    // xl passes over devices that are no list; here one string is a list of one.
    // What is no text at all has no bytes.
    if (!text.isWellFormed() || /\b(disk|vif|pci|vfb|bootloader_args)\s*\+?=\s*['"]/.test(text)) continue;
    assert.deepEqual(view, viewOfXl(understood.json), text);
    both++;
  }
  assert.ok(both > 100, `only ${both} were taken by both`);
});
function taken(text: string) {
  try {
    return ours(text);
  } catch (error) {
    if (!(error instanceof XlError)) throw error;
    return undefined;
  }
}
