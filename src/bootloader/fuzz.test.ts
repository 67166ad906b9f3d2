/** Configurations that are damaged, cut and mixed at random: an answer or a refusal, soon; never anything else. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so GRUB writes its variables
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isKind } from '../contracts/contract.ts';
import { parseArguments } from './arguments.ts';
import { diskDevices, findVolume, volumeOf } from './devices.ts';
import { kernelFault } from './kernel-file.ts';
import { treeInfoCandidate } from './layouts.ts';
import { choose, type Target } from './menu.ts';
import { searchMenu } from './search.ts';
import { memoryFiles, smallKernel } from './testing.ts';

const seeds = [
  'set default="${saved_entry}"\nload_env\nif [ -s $prefix/grubenv -a x$a != xy ]; then search --no-floppy --fs-uuid --set=root 12-34; fi\n',
  'function f { linux /k $1 "$2"; }\nmenuentry \'A b\' --class x --id one { f a b; initrd /i /j }\n',
  "submenu 'more' --id m { menuentry b { multiboot /xen.gz; module /k a; module /i; }\n}\n",
  'for i in a b "c d"; do menuentry $i { linux ($root)/k-$i; }; done\nwhile [ $x -lt 3 ]; do set x=4; done\n',
  'blscfg\nconfigfile $prefix/other.cfg\nsource (hd0,gpt1)/b\nelif else fi { } ; ; $ ${ $( \\\n',
  'default=1\ntitle a\nroot (hd0,0)\nkernel /k x\ninitrd /i\nmodule /m\n',
  'DEFAULT a\nLABEL a\n MENU LABEL ^A\n KERNEL k\n APPEND initrd=i,j x\nINCLUDE b\n',
  'title t\nversion 1\nlinux /k\ninitrd /i $x\noptions a $kernelopts\n',
];
const text = fc
  .array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat()).map(([s, a, b]) => s.slice(a % s.length, b)),
      },
      { weight: 3, arbitrary: fc.constantFrom(...seeds) },
      { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          '{',
          '}',
          '"',
          "'",
          '$',
          ';',
          '\n',
          '\\',
          '#',
          'if',
          'then',
          'fi',
          'do',
          'done',
          '[',
          ']',
          '>',
        ),
      },
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join(''));
const paths = ['/boot/grub/grub.cfg', '/boot/grub/menu.lst', '/extlinux.conf', '/EFI/x/grub.cfg', '/boot/grub/grubenv'];
const more = ['/boot/grub/other.cfg', '/b', '/loader/entries/a.conf', '/loader/loader.conf'];

test('any text in the place of a configuration is a menu or a refusal', async () => {
  let booted = 0;
  const one = fc.record(
    Object.fromEntries([...paths, ...more].map((path) => [path, fc.option(text, { nil: undefined })])),
  );
  await fc.assert(
    fc.asyncProperty(one, fc.option(text, { nil: undefined }), async (files, wish) => {
      const given = Object.entries(files).filter(([, content]) => content !== undefined) as [string, string][];
      const disk = memoryFiles({ 'loop0,gpt1': { uuid: '12-34', files: Object.fromEntries(given) } });
      const began = performance.now();
      try {
        const { menu } = await searchMenu(disk);
        const { target } = await choose(menu, wish);
        sound(target);
        booted++;
      } catch (error) {
        if (!isKind(error, 'Nothing_to_boot')) throw error;
      }
      assert.ok(performance.now() - began < 5_000, 'it took longer than 5 s');
    }),
    { numRuns: 3_000 },
  );
  assert.ok(booted > 30, `${booted} of them booted: the seeds reach nothing`);
});
function sound({ kernel, ramdisks, cmdline }: Target): void {
  for (const file of [kernel, ...ramdisks]) {
    assert.equal(file.volume, 'loop0,gpt1');
    assert.match(file.path, /^\/[^\x00-\x1f\x7f]*$/);
  }
  assert.ok(cmdline.length < 20_000);
}

test('a large configuration takes no longer than its size', async () => {
  for (const piece of [
    '{',
    '"',
    "'",
    '$a',
    ' a',
    'if ',
    '\\',
    'x=1;',
    'menuentry a {',
    '${',
    '"$a"',
    'LABEL a\n',
    'title a\n',
    '# ',
  ]) {
    const files = Object.fromEntries(paths.map((path) => [path, piece.repeat(Math.floor((1 << 20) / piece.length))]));
    const began = performance.now();
    await assert.rejects(
      searchMenu(memoryFiles({ loop0: { files } })).then(({ menu }) => choose(menu, 'no such entry')),
      (e) => isKind(e, 'Nothing_to_boot'),
    );
    assert.ok(performance.now() - began < 10_000, `${JSON.stringify(piece)}: ${performance.now() - began} ms`);
  }
});
test('whatever a reader, a VM or a repository says, no other device is reached', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (said) => {
      for (const device of diskDevices(`(loop0) (host) ${said}`))
        assert.match(device, /^(loop0|lvm|lvmid|md|mduuid|ldm)([,/]|$)/);
      volumeOf('loop0', `Filesystem type ${said}`);
      findVolume([{ device: 'loop0', label: said, uuid: said }], said);
      const found = treeInfoCandidate(`[images-x86_64]\nkernel = ${said}\ninitrd = ${said}`, {});
      if (found) assert.ok(!found.kernel.startsWith('/') && !found.kernel.split('/').includes('..'));
      try {
        parseArguments(said);
      } catch (error) {
        if (!isKind(error, 'Bad_arguments')) throw error;
      }
    }),
    { numRuns: 3_000 },
  );
});
test('no bytes in the place of a kernel do any harm', async () => {
  const handle = (bytes: Buffer) =>
    ({
      stat: async () => ({ size: bytes.length }),
      read: async (buffer: Buffer, at: number, length: number, position: number) => ({
        bytesRead: bytes.copy(buffer, at, Math.min(position, bytes.length), Math.min(position + length, bytes.length)),
        buffer,
      }),
    }) as unknown as Parameters<typeof kernelFault>[0];
  const starts = [
    smallKernel(),
    Buffer.from('7f454c4602010100', 'hex'),
    Buffer.from('7f454c4601010100', 'hex'),
    Buffer.from('1f8b08', 'hex'),
  ];
  const bytes = fc
    .tuple(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 300 }), fc.nat(4096))
    .map(([start, noise, at]) => {
      const all = Buffer.concat([start, Buffer.alloc(600)]);
      Buffer.from(noise).copy(all, at % all.length);
      return all;
    });
  await fc.assert(
    fc.asyncProperty(bytes, async (b) => {
      const fault = await kernelFault(handle(b));
      assert.ok(fault === undefined || fault.length > 5);
    }),
    { numRuns: 1_000 },
  );
  assert.equal(await kernelFault(handle(smallKernel())), undefined);
  assert.match((await kernelFault(handle(smallKernel().subarray(0, 4000)))) ?? '', /cut off: it has 4000 of 4096/);
});
