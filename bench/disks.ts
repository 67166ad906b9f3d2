/**
 * Disks over HTTP: a raw disk as VHD and back, and a VM as XVA, beside a bare Node stream of as many bytes as the disk has data. The
 * client is curl, the host a process of its own. Wanted: 0.8 of the stream for VHD, 0.6 for XVA. `bin/node bench/disks.ts`; `MIB` and
 * `ROUNDS` change how much.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { liveHost } from '../tests/live/host.ts';
import { median, printTable } from './host.ts';

const mib = 1 << 20;
/** Of data; the disk is twice as large. */
const data = Number(process.env['MIB'] ?? 256) * mib;
const rounds = Number(process.env['ROUNDS'] ?? 5);
const folder = mkdtempSync(join(tmpdir(), 'gh-bench-disks-'));
const file = (name: string) => join(folder, name);

function curl(...args: string[]): number {
  const began = performance.now();
  execFileSync('curl', ['--silent', '--show-error', '--fail', '--max-time', '120', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return (performance.now() - began) / 1000;
}
async function peer(): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'disk-peer.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const port of createInterface(child.stdout!)) return { child, url: `http://127.0.0.1:${port}/` };
  throw new Error('the peer did not start');
}
/** Data and holes in turn, 32 MiB each. */
function writeDisk(): void {
  const raw = openSync(file('disk.raw'), 'w');
  const plain = openSync(file('data.raw'), 'w');
  const piece = Buffer.alloc(32 * mib);
  for (let i = 0; i < piece.length; i += 4) piece.writeUInt32LE((i * 2654435761) >>> 0, i);
  for (let done = 0; done < data; done += piece.length) {
    writeSync(raw, piece, 0, piece.length, 2 * done);
    writeSync(plain, piece);
  }
  writeSync(raw, Buffer.alloc(1), 0, 1, 2 * data - 1);
  closeSync(raw);
  closeSync(plain);
}

writeDisk();
const host = await liveHost({ hypervisor: 'simulator' });
const bare = await peer();
try {
  const session = (await host.call('session.login_with_password', 'root', host.password)) as string;
  const [me] = (await host.call('host.get_all')) as string[];
  const config = { format: 'raw' };
  const SR = await host.call('SR.create', me, config, 0, 'raw disks', '', 'file', 'user', false, {});
  const fields = { SR, virtual_size: 2 * data, type: 'user', sharable: false, read_only: false, other_config: {} };
  const vdi = (await host.call('VDI.create', { ...fields, name_label: 'bench' })) as string;
  const [template] = (await host.call('VM.get_by_name_label', 'Tiny Linux')) as string[];
  const vm = (await host.call('VM.clone', template, 'bench')) as string;
  await host.call('VM.provision', vm);
  const drive = { userdevice: '0', bootable: false, mode: 'RW', type: 'Disk', unpluggable: true, empty: false };
  const device = { other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} };
  await host.call('VBD.create', { ...device, ...drive, VM: vm, VDI: vdi });
  const at = (path: string, more: string) => `${host.url}${path}?session_id=${session}&${more}`;
  const ours = at('/export_raw_vdi', `vdi=${vdi}&format=vhd`);
  curl('-T', file('disk.raw'), at('/import_raw_vdi', `vdi=${vdi}`));
  curl('-o', file('disk.vhd'), ours);
  const times: Record<string, number[]> = { out: [], vhdOut: [], xvaOut: [], in: [], vhdIn: [] };
  for (let i = 0; i < rounds; i++) {
    times['out']!.push(curl('-o', '/dev/null', `${bare.url}?file=${file('data.raw')}`));
    times['vhdOut']!.push(curl('-o', '/dev/null', ours));
    times['xvaOut']!.push(curl('-o', '/dev/null', at('/export', `ref=${vm}`)));
    times['in']!.push(curl('-T', file('data.raw'), `${bare.url}?file=${file('copy.raw')}`));
    times['vhdIn']!.push(curl('-T', file('disk.vhd'), at('/import_raw_vdi', `vdi=${vdi}&format=vhd`)));
  }
  const rate = (name: string) => data / 1e6 / median(times[name]!);
  const row = (what: string, peerName: string, name: string, wanted: string) => [
    what,
    `${rate(peerName).toFixed(0)} MB/s`,
    `${rate(name).toFixed(0)} MB/s`,
    (rate(name) / rate(peerName)).toFixed(2),
    wanted,
  ];
  printTable([
    ['what', 'peer', 'project', 'ratio', 'wanted'],
    row('raw disk → VHD over HTTP ÷ file → HTTP', 'out', 'vhdOut', '≥ 0.8'),
    row('VHD over HTTP → raw disk ÷ HTTP → file', 'in', 'vhdIn', '≥ 0.8'),
    row('VM → XVA over HTTP ÷ file → HTTP', 'out', 'xvaOut', '≥ 0.6'),
  ]);
} finally {
  bare.child.stdin?.end();
  await host[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
