/** xenvm's commands on drives, interfaces and PCI devices. */
import type { VbdSpec, VifSpec } from '../../contracts/xenops.ts';
import { findVbd, findVif, nameOf } from '../xenopsd/device.ts';
import type { Params, Row } from './commands.ts';
import { vbdOf, vifOf } from './devices.ts';
import type { World } from './world.ts';

const specOf = async ({ xenops, id }: World) => (await xenops.vm.stat({ id })).spec;
const refused = (why: string) => async (): Promise<undefined> => {
  throw new Error(why);
};
const noPci = 'PCI devices cannot be given to guests here yet';
const notImplemented: Row = { does: 'not implemented', run: refused('not implemented') };

async function addDisk(w: World, text: string): Promise<undefined> {
  await w.xenops.vbd.add({ vm: w.id, vbd: vbdOf(w.id, text) });
}
async function addNic(w: World, text: string): Promise<undefined> {
  const { vifs } = await specOf(w);
  const vif = vifOf(w.id, text, new Set(vifs.map((v) => v.position)), w.ground.bridge);
  await w.xenops.vif.add({ vm: w.id, vif });
}
/** Lines of columns between bars. */
const table = (rows: readonly (readonly string[])[]): string => rows.map((cells) => `${cells.join(' | ')}\n`).join('');
function placeOf(media: VbdSpec['media']): string {
  if (media === null) return '';
  return media.kind === 'path' ? media.path : media.kind === 'vdi' ? media.vdi : media.label;
}
const diskTable = (vbds: readonly VbdSpec[]) =>
  table([['device', 'kind', 'mode', 'path'], ...vbds.map((d) => [nameOf('vbd', d), d.type, d.mode, placeOf(d.media)])]);
const nicTable = (vifs: readonly VifSpec[]) =>
  table([['id', 'mac', 'bridge'], ...vifs.map((v) => [nameOf('vif', v), v.mac, v.bridge])]);
const pciTable = table([['id', 'address']]);

async function insert(w: World, { virtpath = '', physpath = '' }: Params): Promise<void> {
  const { spec, state } = await w.xenops.vm.stat({ id: w.id });
  const { id } = findVbd(spec, virtpath);
  if (!physpath.startsWith('/')) throw new Error(`physpath: "${physpath}" is no absolute path`);
  if (state.vbds[id]?.media) await w.xenops.vbd.eject({ vm: w.id, id });
  await w.xenops.vbd.insert({ vm: w.id, id, media: { kind: 'path', path: physpath, format: 'raw' } });
}
const virtpath = { virtpath: '!the CD drive: hdc' };
const insertRow: Row = {
  takes: { ...virtpath, physpath: '!the disc' },
  does: 'put a disc into a CD drive',
  run: insert,
};

async function switchNetwork(w: World, { id: name = '', network = '' }: Params): Promise<void> {
  const { spec, state } = await w.xenops.vm.stat({ id: w.id });
  const vif = findVif(spec, name);
  const plugged = state.vifs[vif.id]?.plugged === true;
  if (plugged) await w.xenops.vif.unplug({ vm: w.id, id: vif.id, force: false });
  await w.xenops.vif.add({ vm: w.id, vif: { ...vif, bridge: network } });
  if (plugged) await w.xenops.vif.plug({ vm: w.id, id: vif.id });
}
/** Type and sub-command of `device`, each under all its names. */
const onDevice: Readonly<
  Record<string, Readonly<Record<string, (w: World, extra: string) => Promise<string | undefined>>>>
> = {
  disk: { add: addDisk, list: async (w) => diskTable((await specOf(w)).vbds) },
  nic: { add: addNic, list: async (w) => nicTable((await specOf(w)).vifs) },
  pci: { list: async () => pciTable, add: refused(noPci) },
};
const sameAs: Readonly<Record<string, string>> = { vbd: 'disk', vif: 'nic' };

export const deviceCommands: Readonly<Record<string, Row>> = {
  device: {
    takes: { type: '!disk, nic, pci', cmd: '!list, add', extra: 'as in the configuration' },
    does: 'list or add devices',
    async run(w, { type = '', cmd = '', extra = '' }) {
      const of = sameAs[type] ?? type;
      const verbs = Object.hasOwn(onDevice, of) ? onDevice[of] : undefined;
      if (!verbs) throw new Error(`type: "${type}" is none of disk, nic, pci`);
      if (cmd === 'del' || cmd === 'rm') throw new Error('not implemented');
      const verb = Object.hasOwn(verbs, cmd) ? verbs[cmd] : undefined;
      if (!verb) throw new Error(`cmd: "${cmd}" is none of list, add`);
      return await verb(w, extra);
    },
  },
  'disk-add': {
    takes: { path: '!the image', device: '!hda', type: '!phy, file …', mode: '!r or w', devtype: '!disk or cdrom' },
    does: 'a further drive, from the next start on',
    run: (w, { path, type, device, mode, devtype }) => addDisk(w, [path, type, device, mode, devtype].join(':')),
  },
  'nic-add': {
    takes: { bridge: 'its name', mac: 'an address', model: 'e1000 …' },
    does: 'a further interface, from the next start on',
    run: (w, params) =>
      addNic(
        w,
        Object.entries(params)
          .map((pair) => pair.join('='))
          .join(','),
      ),
  },
  'pci-add': {
    takes: {
      ...{ id: '!group', domain: '!0000', bus: '!00', slot: '!00', func: '!0' },
      ...{ msitranslate: '0 or 1', power_mgmt: '0 or 1', bind: 'true' },
    },
    does: 'a PCI device of the host',
    run: refused(noPci),
  },
  ...{ 'disk-del': notImplemented, 'nic-del': notImplemented, 'pci-del': notImplemented, 'disk-list': notImplemented },
  'nic-list': { does: 'its interfaces', run: async (w) => nicTable((await specOf(w)).vifs) },
  'pci-list': { does: 'its PCI devices', run: async () => pciTable },
  'cd-eject': {
    takes: virtpath,
    does: 'take the disc out',
    async run(w, params) {
      const { id } = findVbd(await specOf(w), params['virtpath'] ?? '');
      await w.xenops.vbd.eject({ vm: w.id, id });
    },
  },
  ...{ 'cd-insert-file': insertRow, 'cd-insert-real': insertRow },
  'nic-network-switch': {
    takes: { id: '!of the interface', network: '!a bridge' },
    does: 'move an interface to another bridge',
    run: switchNetwork,
  },
  'set-nic-backend-dom': {
    takes: { id: '!of the interface', domid: '!0' },
    does: 'move an interface to another domain',
    run: refused('networks of other domains are not here'),
  },
};
