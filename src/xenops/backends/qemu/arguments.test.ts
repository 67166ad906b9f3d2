import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { type ArgumentsInput, bootTurns, qemuArguments } from './arguments.ts';
import { parseOptions } from './options.ts';
import { recordOf, specOf, withDrive, withNic } from './testing.ts';

const paths = {
  qmp: '/d/v/run/qmp',
  serial: '/d/v/run/serial',
  agent: '/d/v/run/agent',
  vnc: '/d/v/run/vnc',
  consoleLog: '/d/v/console.log',
};
const input = (changes: Partial<ArgumentsInput>): ArgumentsInput => ({
  qemu: '/usr/bin/qemu-system-x86_64',
  record: recordOf(specOf()),
  paths,
  incoming: false,
  ...changes,
});
const full = withNic(
  withDrive(withDrive(recordOf(specOf()), 'a', 'Disk', '/sr/a.qcow2'), 'cd', 'CD', '/iso/x.iso'),
  'n',
);
const kernel = { kind: 'kernel', kernel: '/k/vmlinuz', ramdisk: '/k/initrd', cmdline: 'console=ttyS0 a=b,c' } as const;
const uefi = { kind: 'uefi', order: 'dc', secureBoot: true } as const;
const firmware = { code: '/fw/code.fd', vars: '/d/nvram/v.fd', secure: true };

const goldens: Record<string, ArgumentsInput> = {
  'bios-disk-cd-nic': input({ record: full }),
  'kernel-pc': input({ record: withNic(recordOf(specOf({ boot: kernel, domainType: 'pvh' })), 'n') }),
  'kernel-microvm': input({
    record: withDrive(recordOf(specOf({ boot: kernel, platform: { machine: 'microvm' } })), 'a', 'Disk', '/sr/a.qcow2'),
  }),
  'uefi-secure': input({ record: withDrive(recordOf(specOf({ boot: uefi })), 'a', 'Disk', '/sr/a'), firmware }),
  resumed: input({ record: withNic(recordOf(specOf({ boot: kernel })), 'n'), incoming: true }),
};
for (const [name, given] of Object.entries(goldens))
  test(`golden: ${name}`, () => {
    const file = join(import.meta.dirname, '../../../../tests/golden/qemu-arguments', `${name}.txt`);
    const lines = qemuArguments(given).join('\n').replaceAll('\n-', '\n  -').concat('\n');
    if (process.env['UPDATE_GOLDEN'] || !existsSync(file)) {
      assert.ok(process.env['UPDATE_GOLDEN'], `${file} is missing; run with UPDATE_GOLDEN=1`);
      writeFileSync(file, lines);
    }
    assert.equal(lines, readFileSync(file, 'utf8'));
  });

const nasty = fc.string({
  unit: fc.constantFrom(',', '=', '"', '\\', "'", '\n', ';', '../', ' ', '-', 'a', 'é', ',readonly=on', '\u0000'),
});
const values = (args: readonly string[], option: string) =>
  args.flatMap((a, i) => (a === option ? [args[i + 1] ?? ''] : []));

test('names, paths and forwards of any text never become options', () => {
  fc.assert(
    fc.property(nasty, nasty, nasty, (name, path, cmdline) => {
      const boot = { ...kernel, cmdline: cmdline.replaceAll('\0', '') };
      const plain = withNic(withDrive(recordOf(specOf({ boot })), 'a', 'Disk', '/plain'), 'n');
      const record = withNic(withDrive(recordOf(specOf({ name, boot })), 'a', 'Disk', `/${path}`), 'n');
      const here = {
        ...paths,
        qmp: `/d${path}/qmp`,
        serial: `/d${path}/serial`,
        agent: `/d${path}/agent`,
        vnc: `/d${path}/vnc`,
      };
      const args = qemuArguments(input({ record, paths: here }));
      // The same options in the same places, whatever the texts are.
      const shape = (list: readonly string[]) => list.map((a, i) => (i % 2 === 1 && a.startsWith('-') ? a : ''));
      const expected = qemuArguments(input({ record: plain }));
      assert.equal(args.length, expected.length);
      if (cmdline === '') assert.deepEqual(shape(args), shape(expected));
      assert.deepEqual(parseOptions(values(args, '-name')[0] ?? ''), [
        ['guest', name.replaceAll('\0', '\ufffd').slice(0, 200)],
        ['debug-threads', 'on'],
      ]);
      const chardevs = values(args, '-chardev').map((text) => new Map(parseOptions(text)));
      assert.equal(chardevs[0]?.get('path'), here.qmp);
      assert.equal(chardevs[1]?.get('path'), here.serial);
      assert.deepEqual(parseOptions(values(args, '-vnc')[0] ?? ''), [
        ['', `unix:${here.vnc}`],
        ['share', 'force-shared'],
      ]);
      const node = JSON.parse(values(args, '-blockdev')[0] ?? '') as { file: { file: { filename: string } } };
      assert.equal(node.file.file.filename, `/${path}`);
      assert.equal(values(args, '-append')[0], boot.cmdline);
    }),
  );
});
test('every guest is confined and starts standing still', () => {
  for (const given of Object.values(goldens)) {
    const args = qemuArguments(given);
    for (const wanted of ['-S', '-nodefaults', '-no-user-config']) assert.ok(args.includes(wanted), wanted);
    assert.match(values(args, '-sandbox')[0] ?? '', /^on,.*spawn=deny/);
  }
});
test('the boot order names devices in turn', () => {
  const order = (text: string) => [...bootTurns({ ...full, spec: specOf({ boot: { kind: 'bios', order: text } }) })];
  assert.deepEqual(order('dc'), [
    ['drive1', 0],
    ['drive0', 1],
  ]);
  assert.deepEqual(order('nc'), [
    ['nic0', 0],
    ['drive0', 1],
  ]);
});
