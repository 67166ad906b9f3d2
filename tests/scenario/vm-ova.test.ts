import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Rec } from '../../src/datamodel/index.ts';
import { readManifest, readOvf } from '../../src/wire/ovf.ts';
import { diskHouse } from './disk-house.ts';
import { archive, ask, disksOf, type Entry, get, membersOf, mib, put, sparse, vmWithDisks } from './vm-files.ts';

/** qemu-img's own files of a content. */
function maker(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'gh-ova-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return (content: Buffer, format: string, ...options: string[]): Buffer => {
    const [raw, made] = [join(folder, 'raw'), join(folder, 'made')];
    writeFileSync(raw, content);
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, made]);
    return readFileSync(made);
  };
}
const stream = ['vmdk', '-o', 'subformat=streamOptimized'] as const;

/** A descriptor as VMware's tools write it. */
function vmware(
  disk: string,
  more: { readonly file?: string; readonly references?: string; readonly head?: string } = {},
): string {
  const { file = '', references = `<File ovf:href="${disk}" ovf:id="file1"${file}/>`, head = '' } = more;
  return `<?xml version="1.0" encoding="UTF-8"?>${head}
<Envelope vmw:buildId="build-1" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>${references}</References>
  <DiskSection><Info>disks</Info>
    <Disk ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk1" ovf:fileRef="file1"/>
    <Disk ovf:capacity="3" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="vmdisk2"/>
  </DiskSection>
  <VirtualSystem ovf:id="vm"><Info>A VM</Info><Name>from &amp; elsewhere</Name>
    <AnnotationSection><Info/><Annotation>long
story</Annotation></AnnotationSection>
    <VirtualHardwareSection><Info>hardware</Info>
      <Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:InstanceID>2</rasd:InstanceID><rasd:ResourceType>4</rasd:ResourceType><rasd:VirtualQuantity>512</rasd:VirtualQuantity></Item>
      <Item><rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceType>6</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>1</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/vmdisk2</rasd:HostResource><rasd:InstanceID>9</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/vmdisk1</rasd:HostResource><rasd:InstanceID>8</rasd:InstanceID><rasd:Parent>3</rasd:Parent><rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item ovf:required="false"><rasd:InstanceID>10</rasd:InstanceID><rasd:ResourceType>15</rasd:ResourceType></Item>
      <Item><rasd:Connection>VM Network</rasd:Connection><rasd:InstanceID>11</rasd:InstanceID><rasd:ResourceType>10</rasd:ResourceType></Item>
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>`;
}
const entry = (name: string, data: string | Buffer): Entry => ({ name, data: Buffer.from(data) });
const sha = (kind: string, data: Buffer) => createHash(kind).update(data).digest('hex');

test('a VM goes out as OVA of both versions and comes in again', async (t) => {
  await using h = await diskHouse();
  const contents = [sparse(9 * mib + 512), Buffer.alloc(2 * mib)];
  const vm = await vmWithDisks(h, contents);
  const folder = mkdtempSync(join(tmpdir(), 'gh-ova-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const ovf_version of ['1', '2']) {
    const { status, body } = await get(h, '/export', { ref: vm, format: 'ova', ovf_version });
    assert.equal(status, 200);
    const [descriptor, ...others] = await membersOf(body);
    const text = descriptor?.data.toString() ?? '';
    assert.ok(text.includes(`http://schemas.dmtf.org/ovf/envelope/${ovf_version}`));
    const [machine] = readOvf(text);
    assert.deepEqual([machine?.vcpus, machine?.memory, machine?.cdDrives, machine?.nics.length], [2, 256 * mib, 1, 1]);
    const manifest = others.at(-1) as Entry;
    const rows = new Map(readManifest(manifest.data.toString()).map((r) => [r.file, r.digest]));
    for (const { name, data } of [descriptor as Entry, ...others.slice(0, -1)])
      assert.equal(rows.get(name), sha('sha256', data), name);
    for (const [i, { data }] of others.slice(0, -1).entries()) {
      const [vmdk, raw] = [join(folder, 'a.vmdk'), join(folder, 'a.raw')];
      writeFileSync(vmdk, data);
      writeFileSync(raw, contents[i] as Buffer);
      execFileSync('qemu-img', ['check', '-q', '-f', 'vmdk', vmdk]);
      execFileSync('qemu-img', ['compare', '-q', '-f', 'raw', '-F', 'vmdk', raw, vmdk]);
    }
    const [copy] = await put(h, body);
    const is = await h.root<Rec<'VM'>>('VM.get_record', copy);
    assert.deepEqual([is.name_label, is.VCPUs_max, is.memory_static_max], ['web "1" <ä>', 2, 256 * mib]);
    assert.deepEqual(
      (await disksOf(h, copy as string)).map((d, i) => d.equals(contents[i] as Buffer)),
      [true, true],
    );
  }
});

test('packages of other tools are read: manifest first or last, packed files, disks without files', async (t) => {
  await using h = await diskHouse();
  const image = maker(t);
  const content = sparse(16 * mib);
  const disk = image(content, ...stream);
  const ovf = Buffer.from(vmware('disk1.vmdk'));
  const mf = (kind: string) =>
    `${kind.toUpperCase()}(x.ovf)= ${sha(kind, ovf)}\n${kind.toUpperCase()}(disk1.vmdk)= ${sha(kind, disk)}\n`;
  const packages: Entry[][] = [
    [entry('x.ovf', ovf), entry('x.mf', mf('sha1')), entry('x.cert', 'a certificate'), entry('disk1.vmdk', disk)],
    [entry('x.ovf', ovf), entry('disk1.vmdk', disk), entry('x.mf', mf('sha512')), entry('readme.txt', 'hello')],
    [
      entry('x.ovf', vmware('disk1.vmdk.gz', { file: ' ovf:compression="gzip"' })),
      entry('disk1.vmdk.gz', gzipSync(disk)),
    ],
    [entry('x.ovf', vmware('d.vhd')), entry('d.vhd', image(content, 'vpc', '-o', 'force_size=on,subformat=fixed'))],
    [entry('x.ovf', vmware('d.img')), entry('d.img', content)],
  ];
  for (const [i, each] of packages.entries()) {
    const [vm] = await put(h, gzipSync(archive(each)));
    const is = await h.root<Rec<'VM'>>('VM.get_record', vm);
    assert.deepEqual([is.name_label, is.name_description], ['from & elsewhere', 'long\nstory']);
    assert.deepEqual([is.VCPUs_max, is.memory_static_max, is.HVM_boot_params['firmware']], [2, 512 * mib, 'uefi']);
    assert.deepEqual([is.VBDs.length, is.VIFs.length], [3, 1]);
    const [first, second] = await disksOf(h, vm as string);
    assert.ok(first?.equals(content), `package ${i}`);
    assert.equal(second?.length, 3 * mib);
  }
});

test('a bare disk gets a VM around it', async (t) => {
  await using h = await diskHouse();
  const image = maker(t);
  const content = sparse(9 * mib);
  const files: [string, Buffer, Record<string, string>][] = [
    ['qcow2', image(content, 'qcow2'), {}],
    ['vmdk', image(content, ...stream), {}],
    ['vhd', image(content, 'vpc', '-o', 'force_size=on'), {}],
    ['raw', content, { format: 'raw' }],
  ];
  for (const [name, file, more] of files) {
    const [vm] = await put(h, file, {
      name_label: name,
      memory: String(256 * mib),
      vcpus: '2',
      firmware: 'uefi',
      ...more,
    });
    const is = await h.root<Rec<'VM'>>('VM.get_record', vm);
    assert.deepEqual([is.name_label, is.VCPUs_max, is.memory_static_max], [name, 2, 256 * mib]);
    assert.ok((await disksOf(h, vm as string))[0]?.equals(content), name);
    await h.root('VM.start', vm, false, false);
    await h.root('VM.hard_shutdown', vm);
  }
  await assert.rejects(put(h, content), /neither an XVA archive nor an OVA package/);
});

test('what is wrong with a package is said, and nothing is left of it', async (t) => {
  await using h = await diskHouse();
  const image = maker(t);
  const disk = image(sparse(16 * mib), ...stream);
  const flat = image(sparse(16 * mib), 'vmdk', '-o', 'subformat=monolithicFlat');
  const [vms, vdis] = [await h.root<string[]>('VM.get_all'), await h.root<string[]>('VDI.get_all')];
  const refused = async (why: RegExp, ...entries: Entry[]) => {
    await assert.rejects(put(h, archive(entries)), why);
    assert.deepEqual(await h.root<string[]>('VM.get_all'), vms, String(why));
    assert.deepEqual(await h.root<string[]>('VDI.get_all'), vdis, String(why));
  };
  const ovf = (text: string) => entry('x.ovf', text);
  const good = ovf(vmware('disk1.vmdk'));
  const file = entry('disk1.vmdk', disk);
  await refused(/has the digest/, good, file, entry('x.mf', `SHA256(disk1.vmdk)= ${'0'.repeat(64)}\n`));
  await refused(/has the digest/, good, entry('x.mf', `SHA1(disk1.vmdk)= ${'0'.repeat(40)}\n`), file);
  await refused(
    /other\.vmdk is not in the package/,
    good,
    file,
    entry('x.mf', `SHA1(other.vmdk)= ${'0'.repeat(40)}\n`),
  );
  await refused(/the manifest cannot be read/, good, file, entry('x.mf', 'nonsense'));
  await refused(/disk1\.vmdk of a disk is not in the package/, good);
  await refused(/leads out of the archive/, ovf(vmware('../../etc/passwd')), file);
  await refused(/is elsewhere, and is not fetched/, ovf(vmware('http://example.com/disk.vmdk')), file);
  await refused(/cut into chunks/, ovf(vmware('disk1.vmdk', { file: ' ovf:chunkSize="7"' })), file);
  const bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>';
  await refused(/declares a type of document/, ovf(vmware('disk1.vmdk', { head: bomb })), file);
  await refused(/no OVF descriptor/, ovf('<Envelope/>'));
  await refused(/no XML/, ovf('<Envelope'));
  await refused(/names other files/, good, entry('disk1.vmdk', flat));
  await refused(/is of no format that is read/, ovf(vmware('disk1.bin')), entry('disk1.bin', 'what is this'));
  await refused(/SR_BACKEND_FAILURE_77/, good, entry('disk1.vmdk', disk.subarray(0, disk.length / 2)));
  const { status } = await ask(h, 'PUT', '/import', {}, archive([good, file]).subarray(0, disk.length / 2));
  assert.equal(status, 500);
});
