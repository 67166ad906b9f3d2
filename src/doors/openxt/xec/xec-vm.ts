/** `xec-vm`: `xec` on the object of one VM, or of one of its disks and interfaces; without a VM, a table of all. */
import type { VmSelection, XecOptions } from './options.ts';
import { callMethod, getProperty, runXec, type XecIo, XecRefusal } from './xec.ts';

export const usage = `usage: xec-vm SELECT [options] [get P | set P VALUE | getall | METHOD ARG...]
       xec-vm                     a table of all VMs

  SELECT: -n, --name NAME; -u, --uuid UUID; -d, --domid N; -o, --path, --object PATH
  -k, --disk N; -c, --nic N      a disk or an interface of the VM
  --list-disks, --list-nics      their object paths
  -i, -g, -x, --bus, --session, --list-interfaces, --list-methods, --list-properties, -q, -h: as xec has them
`;
interface Vm {
  readonly path: string;
  readonly name: string;
  readonly uuid: string;
  readonly domid: number;
  readonly state: string;
}
const vmInterface = 'com.citrix.xenclient.xenmgr.vm';

export async function runXecVm(xec: XecOptions, vm: VmSelection | undefined, io: XecIo): Promise<void> {
  const root = { service: xec.service, object: '/', interface: undefined };
  if (!vm) {
    for (const line of tableOf(await allVms(io, root))) io.line(line);
    return;
  }
  const path = await pathOf(io, root, vm);
  const object = vm.device ? `${path}/${vm.device.kind}/${vm.device.id}` : path;
  const { kind } = xec.work;
  if (kind === 'list-disks' || kind === 'list-nics') {
    const method = kind.replace('-', '_');
    const [[, paths] = ['', []]] = await callMethod(io, { ...root, object: path }, method, []);
    for (const each of paths as string[]) io.line(each);
  } else await runXec({ ...xec, object }, io);
}
async function pathOf(
  io: XecIo,
  root: { readonly service: string; readonly object: string; readonly interface: undefined },
  { by, value }: VmSelection,
): Promise<string> {
  if (by === 'path') return value;
  if (by === 'uuid') return `/vm/${value.toLowerCase().replaceAll('-', '_')}`;
  if (by === 'domid') {
    const [[, path] = ['', '']] = await callMethod(io, root, 'find_vm_by_domid', [value]);
    return String(path);
  }
  const named = (await allVms(io, root)).filter((vm) => vm.name === value);
  if (named.length === 1) return (named[0] as Vm).path;
  if (named.length === 0) throw new XecRefusal(`no VM has the name ${JSON.stringify(value)}`);
  throw new XecRefusal(
    `${named.length} VMs have the name ${JSON.stringify(value)}: choose by --uuid ${named.map((vm) => vm.uuid).join(', ')}`,
  );
}
async function allVms(
  io: XecIo,
  root: { readonly service: string; readonly object: string; readonly interface: undefined },
): Promise<Vm[]> {
  const [[, paths] = ['', []]] = await callMethod(io, root, 'list_vms', []);
  return Promise.all(
    (paths as string[]).map(async (path) => {
      const at = { ...root, object: path, interface: vmInterface };
      const [name, uuid, domid, state] = await Promise.all(
        ['name', 'uuid', 'domid', 'state'].map(async (property) => (await getProperty(io, at, property)).value),
      );
      return { path, name: String(name), uuid: String(uuid), domid: Number(domid), state: String(state) };
    }),
  );
}
/** By domid; those that are off come last, by name. */
function tableOf(vms: readonly Vm[]): string[] {
  const sorted = vms.toSorted(
    (a, b) => Number(a.domid < 0) - Number(b.domid < 0) || a.domid - b.domid || a.name.localeCompare(b.name),
  );
  const rows = sorted.map((vm) => [vm.domid < 0 ? '' : String(vm.domid), vm.name, vm.uuid, vm.state]);
  const all = [['ID', 'Name', 'UUID', 'State'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] as string).length)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join(' | ')
      .trimEnd(),
  );
}
