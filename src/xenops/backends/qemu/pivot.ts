/**
 * A guest that runs goes over to new layers of its disks, all at one moment: one transaction of QEMU's, which holds back and
 * flushes what is being written. A layer's node has a name that is made of the layer's, so that QEMU itself knows whether it was
 * done, when the toolstack was killed before it could note so.
 *
 *     before   raw (the drive's node) ──file──▶ qcow2
 *     after    raw ──file──▶ qcow2 of the new layer ──backing──▶ qcow2, read only from now on
 */
import { bestEffort } from '../../../base/best-effort.ts';
import { Unwind } from '../../../base/unwind.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { NewLayer } from '../../backend.ts';
import { layerNode, layerNodeOf, topNodeOf } from './devices.ts';
import type { Domain } from './domain.ts';
import { asStorage } from './plug.ts';
import type { Drive } from './record.ts';

interface NamedNode {
  readonly 'node-name'?: string;
  /** How many layers lie below it, as QEMU has them open. */
  readonly backing_file_depth: number;
}

export async function pivotDrives(domain: Domain, layers: readonly NewLayer[]): Promise<void> {
  const all = layers.map((layer) => ({ layer, node: layerNodeOf(layer.to), drive: driveOf(domain, layer.id) }));
  const due = all.filter(({ node, drive }) => !drive.layers?.includes(node));
  if (due.length === 0) return;
  const nodes = (await domain.execute('query-named-block-nodes')) as NamedNode[];
  const find = (name: string) => nodes.find((node) => node['node-name'] === name);
  // Gone over to already, and not noted.
  const left = due.filter(({ node }) => (find(node)?.backing_file_depth ?? 0) === 0);
  for (const { drive } of left) {
    if (find(topNodeOf(drive))) continue;
    const reason =
      'it was started by an earlier version: shut it down and start it again, then its disks can be snapshotted';
    throw xenopsErrors.make('Unimplemented', {
      function: `a snapshot of the disk ${drive.spec.id} (${reason})`,
      backend: 'qemu',
    });
  }
  await using undo = new Unwind();
  for (const { layer, node } of left) {
    const give = () => bestEffort('a layer that nobody uses', domain.needs.log, () => remove(domain, node));
    if (!find(node)) await asStorage(() => domain.execute('blockdev-add', layerNode(node, layer.disk.path)));
    undo.add(give);
  }
  const actions = left.map(({ drive, node }) => ({
    type: 'blockdev-snapshot',
    data: { node: topNodeOf(drive), overlay: node },
  }));
  if (actions.length > 0) await asStorage(() => domain.execute('transaction', { actions }));
  undo.keep();
  await domain.update({ drives: domain.record.drives.map((drive) => onLayer(drive, due)) });
}
function onLayer(drive: Drive, due: readonly { layer: NewLayer; node: string; drive: Drive }[]): Drive {
  const found = due.find((each) => each.drive.spec.id === drive.spec.id);
  return found ? { ...drive, disk: found.layer.disk, layers: [...(drive.layers ?? []), found.node] } : drive;
}
function driveOf(domain: Domain, id: string): Drive {
  const drive = domain.record.drives.find((d) => d.spec.id === id && !d.cut);
  if (!drive?.disk) throw xenopsErrors.make('Device_not_connected', { id });
  return drive;
}
const remove = (domain: Domain, node: string) => domain.execute('blockdev-del', { 'node-name': node });
