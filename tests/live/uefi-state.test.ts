/** What a UEFI machine remembers, on real OVMF and swtpm: variables, a TPM, Secure Boot; with snapshots and over suspend. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { cannotMake, efiDisk } from './efi-media.ts';
import { consoleLog, domainOf, eventually, inGuest } from './guest-shell.ts';
import { bin, cannotRun, consoleSays, type LiveHost, liveHost, processesWith } from './host.ts';

const run = promisify(execFile);
const noTpm = existsSync('/usr/bin/swtpm') ? undefined : 'swtpm is not installed: the package swtpm has it';
const options = { skip: cannotRun() ?? cannotMake() ?? noTpm ?? false, timeout: 580_000 };

function typing(host: LiveHost) {
  const env = { ...process.env, GUESTHOUSE_DATA: host.data };
  return async (...args: string[]) => (await run(bin('xe'), args, { env })).stdout.trim();
}
type Xe = ReturnType<typeof typing>;
/** A VM with UEFI whose disk boots Tiny Linux. */
async function uefiVm(host: LiveHost, xe: Xe): Promise<string> {
  const vm = await xe('vm-install', 'template=Other install media', 'new-name-label=uefi');
  await xe('vm-param-set', `uuid=${vm}`, 'HVM-boot-params:firmware=uefi', 'HVM-boot-params:order=c');
  const vdi = await xe('vbd-list', `vm-uuid=${vm}`, 'type=Disk', 'params=vdi-uuid', '--minimal');
  await xe('vdi-import', `uuid=${vdi}`, `filename=${efiDisk(host.data)}`);
  return vm;
}
const variables = (host: LiveHost, vm: string) => readFileSync(join(host.data, 'domains', 'nvram', `${vm}.fd`));

test(
  'variables and the TPM are kept, taken with a snapshot, brought back, and saved with the guest',
  options,
  async () => {
    await using host = await liveHost();
    const xe = typing(host);
    const vm = await uefiVm(host, xe);
    await xe('vtpm-create', `vm-uuid=${vm}`);
    await host.call('VM.set_bios_strings', await host.call('VM.get_by_uuid', vm), { 'system-serial-number': 'GH, 42' });
    const at = domainOf(host.data, vm);
    const start = async () => {
      await xe('vm-start', `uuid=${vm}`);
      await consoleSays(consoleLog(host.data, vm), 'READY');
    };
    const stop = () => xe('vm-shutdown', `uuid=${vm}`, '--force');
    await start();
    assert.equal(await inGuest(at, 'cat /sys/class/dmi/id/product_serial'), 'GH, 42');
    // OVMF has measured what it ran: these registers are not as they were made.
    const register = (n: number) => inGuest(at, `cat /sys/class/tpm/tpm0/pcr-sha256/${n}`);
    assert.equal(await inGuest(at, 'cat /sys/class/tpm/tpm0/tpm_version_major'), '2');
    const measured = await register(4);
    assert.match(measured, /^[0-9A-F]{64}$/i);
    assert.notEqual(measured, '0'.repeat(64));
    assert.equal(processesWith(`${host.data}/domains/tpm`).size, 1);
    await xe('vm-suspend', `uuid=${vm}`);
    await eventually('the TPM ends with its guest', () => processesWith(`${host.data}/domains/tpm`).size === 0);
    await xe('vm-resume', `uuid=${vm}`);
    assert.equal(await register(4), measured);
    await stop();

    const first = variables(host, vm);
    const snapshot = await xe('vm-snapshot', `uuid=${vm}`, 'new-name-label=then');
    const nvram = await xe('snapshot-param-get', `uuid=${snapshot}`, 'param-name=NVRAM', 'param-key=EFI-variables');
    assert.match(nvram, /^ovmf:/);
    // Another order of booting is another content of the variables.
    await xe('vm-param-set', `uuid=${vm}`, 'HVM-boot-params:order=dc');
    const [network] = (await xe('network-list', 'params=uuid', '--minimal')).split(',');
    await xe('vif-create', `vm-uuid=${vm}`, `network-uuid=${network}`, 'device=0');
    await xe('vm-param-set', `uuid=${vm}`, 'HVM-boot-params:order=cn');
    await start();
    await stop();
    assert.ok(!variables(host, vm).equals(first), 'the firmware has noted the other devices');
    await xe('snapshot-revert', `snapshot-uuid=${snapshot}`);
    assert.ok(variables(host, vm).equals(first), 'the variables are those of the snapshot');
    await start();
    await stop();
    await xe('vm-uninstall', `uuid=${vm}`, '--force');
    assert.equal(existsSync(join(host.data, 'domains', 'tpm', vm)), false);
  },
);

test('Secure Boot refuses a loader that nobody signed', options, async () => {
  await using host = await liveHost();
  const xe = typing(host);
  const vm = await uefiVm(host, xe);
  await xe('vm-param-set', `uuid=${vm}`, 'platform:secureboot=true');
  await xe('vm-start', `uuid=${vm}`);
  const said = () => readFileSync(consoleLog(host.data, vm), 'latin1');
  await eventually('the refusal', () => /Access Denied|Security Violation/i.test(said()), 300_000);
  assert.doesNotMatch(said(), /READY/);
  await xe('vm-shutdown', `uuid=${vm}`, '--force');
  await xe('vm-uninstall', `uuid=${vm}`, '--force');
});
