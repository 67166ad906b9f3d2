/**
 * `xe vm-list` with 1,000 VMs ÷ bare `node -e 0`, in wall time, interleaved. Wanted: at most 2.5.
 * `bin/node bench/xe.ts`; `ROUNDS` and `VMS` change how much.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, printTable } from './host.ts';

const rounds = Number(process.env['ROUNDS'] ?? 30);
const vms = process.env['VMS'] ?? '1000';
const root = join(import.meta.dirname, '..');
const dir = mkdtempSync(join(tmpdir(), 'guesthouse-bench-xe-'));
const env = { ...process.env, GUESTHOUSE_DATA: dir };

execFileSync(process.execPath, [join(root, 'tools', 'bundle.ts'), 'xe']);
const host = spawn(process.execPath, [join(import.meta.dirname, 'xe-host.ts'), dir, vms], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
await new Promise((resolve) => host.stdout.once('data', resolve));

const timed = (file: string, args: readonly string[]): { ms: number; output: Buffer } => {
  const began = performance.now();
  const output = execFileSync(file, args, { env, maxBuffer: 1 << 28 });
  return { ms: performance.now() - began, output };
};
const bare: number[] = [];
const ours: number[] = [];
try {
  for (let i = -5; i < rounds; i++) {
    const peer = timed(process.execPath, ['-e', '0']);
    const xe = timed(join(root, 'bin', 'xe'), ['vm-list']);
    const listed = xe.output.toString().match(/^uuid/gm)?.length;
    if (listed !== Number(vms)) throw new Error(`xe vm-list printed ${listed} records, not ${vms}`);
    // the first rounds warm the host and the disk cache up
    if (i < 0) continue;
    bare.push(peer.ms);
    ours.push(xe.ms);
  }
} finally {
  host.stdin.end();
  await new Promise((resolve) => host.once('exit', resolve));
  rmSync(dir, { recursive: true, force: true });
}
const ratio = median(ours) / median(bare);
printTable([
  ['', 'node -e 0', 'xe vm-list', 'ratio', 'wanted'],
  [`${vms} VMs, median ms of ${rounds}`, median(bare).toFixed(1), median(ours).toFixed(1), ratio.toFixed(2), '≤ 2.5'],
]);
process.exitCode = ratio <= 2.5 ? 0 : 1;
