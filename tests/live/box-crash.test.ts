/** The core file of a guest that crashed, on real Xen in a box: readelf reads it, and it holds the guest's memory at its addresses. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { cannotBox, dialConsole, halted, type LiveBox, liveBox, ready, tinyLinux } from './box-host.ts';
import { guest } from './guest-disk.ts';

const skip = cannotBox();
const [kib, mib] = [1 << 10, 1 << 20];
const pageSize = 4096;

/** Bytes of a file in the box. */
async function bytesOf(b: LiveBox, path: string, offset: number, length: number): Promise<Buffer> {
  const flags = ['bs=64K', 'iflag=skip_bytes,count_bytes,fullblock', 'status=none'];
  const { out, err } = await b.exec(['dd', `if=${path}`, `skip=${offset}`, `count=${length}`, ...flags]);
  assert.equal(out.length, length, err);
  return out;
}
/** A file of the same length here, with its ends alone: what says how it is made up. */
async function endsOf(b: LiveBox, path: string, here: string): Promise<string> {
  const size = Number((await b.exec(['stat', '-c', '%s', path])).out.toString());
  assert.ok(size > 128 * mib, `${path} is as long as the guest's memory: ${size}`);
  const file = openSync(here, 'w');
  for (const offset of [0, size - 64 * kib])
    writeSync(file, await bytesOf(b, path, offset, 64 * kib), 0, 64 * kib, offset);
  closeSync(file);
  truncateSync(here, size);
  return here;
}
function readelf(option: string, file: string): string {
  const { stdout, stderr } = spawnSync('readelf', [option, file], { encoding: 'utf8' });
  assert.equal(stderr, '', `readelf ${option}`);
  return stdout;
}
/** A stretch of the kernel that it never changes: its bytes, and the physical address that its file says they are loaded to. */
function banner(): { bytes: Buffer; address: number } {
  const kernel = readFileSync(join(guest, 'vmlinux'));
  const at = kernel.indexOf('Linux version ');
  const loads = readelf('-lW', join(guest, 'vmlinux')).matchAll(/LOAD +(0x\w+) +0x\w+ +(0x\w+) +(0x\w+)/g);
  for (const [, offset, address, length] of loads) {
    const into = at - Number(offset);
    if (into >= 0 && into < Number(length))
      return { bytes: kernel.subarray(at, at + 200), address: Number(address) + into };
  }
  throw new Error('no segment holds it');
}
/** Where in the core file of each kind the byte at a physical address of the guest is. */
const places = {
  pvh(core: string, _: unknown, address: number): number {
    const [, offset, start, length] = /LOAD +(0x\w+) +0x\w+ +(0x\w+) +(0x\w+)/.exec(readelf('-lW', core)) ?? [];
    assert.deepEqual([Number(start), Number(length)], [0, 128 * mib]);
    return Number(offset) + address;
  },
  async pv(core: string, read: (offset: number, length: number) => Promise<Buffer>, address: number): Promise<number> {
    const said = readelf('-SW', core);
    const section = (name: string) => {
      const [, offset, size] =
        new RegExp(`${name} +\\w+ +\\w+ (\\w+) (\\w+)`).exec(said) ?? assert.fail(`${name}: ${said}`);
      return { offset: Number(`0x${offset}`), size: Number(`0x${size}`) };
    };
    const [table, pages] = [section('\\.xen_p2m'), section('\\.xen_pages')];
    assert.ok(pages.size > 100 * mib, `${pages.size} bytes of pages`);
    const numbers = await read(table.offset, table.size);
    const entry = 16;
    for (let i = 0; i < table.size / entry; i++)
      if (Number(numbers.readBigUInt64LE(i * entry)) === Math.floor(address / pageSize))
        return pages.offset + i * pageSize + (address % pageSize);
    throw new Error('the page is not in the core file');
  },
};

test('a guest that crashed leaves a core file', { skip, timeout: 600_000 }, async (t) => {
  await using b = await liveBox();
  const folder = mkdtempSync(join(tmpdir(), 'gh-core-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { bytes, address } = banner();
  for (const type of ['pv', 'pvh'] as const)
    await t.test(type, async () => {
      const { vm, uuid } = await tinyLinux(b, type, type);
      await b.call('VM.set_memory', vm, 128 * mib);
      await b.call('VM.set_actions_after_crash', vm, 'coredump_and_destroy');
      await b.call('VM.start', vm, false, false);
      await ready(b, uuid);
      const line = await dialConsole(b, uuid);
      line.write('echo c > /proc/sysrq-trigger\n');
      await halted(b, vm);
      line.destroy();
      const path = `/var/lib/guesthouse/log/guests/${uuid}.core`;
      const core = await endsOf(b, path, join(folder, type));
      assert.match(readelf('-hW', core), /CORE \(Core file\)[\s\S]*X86-64/);
      const read = (offset: number, length: number) => bytesOf(b, path, offset, length);
      assert.deepEqual(await read(await places[type](core, read, address), bytes.length), bytes);
      await b.call('VM.destroy', vm);
      assert.notEqual((await b.exec(['test', '-e', path])).code, 0, 'it goes with its VM');
    });
});
