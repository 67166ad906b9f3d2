import { type OpenDisk, type Storage, storageErrors, type VdiInfo } from '../../contracts/storage.ts';

type User = { readonly sr: string; readonly vdi: string; readonly user: string; readonly mode: 'RO' | 'RW' };
/** Fails a method, once it is told to: called with `vdi.open` and so on before anything is done. */
export type Trouble = (method: string) => Promise<void> | void;
/** What outlives the daemon; may be handed to a second fake, which is then the same storage after a restart. */
export interface FakeDisks {
  /** Who has what open. */
  readonly open: Map<string, User>;
  /** Who has volumes of files open. */
  readonly discs: Set<string>;
  /** `sr/vdi` → the number of its layer on top; a disk that is not here has layer 0. */
  readonly layers: Map<string, number>;
  /** `sr/vdi` → the snapshot that it is frozen for. */
  readonly frozen: Map<string, string>;
  /** `sr/vdi` of snapshots → the path of the layer that they lie on. */
  readonly snapshots: Map<string, string>;
}
export interface FakeStorage extends Storage {
  readonly disks: FakeDisks;
  /** Where what is written to the disk belongs now. */
  pathOf(sr: string, vdi: string): string;
}
export const noDisks = (): FakeDisks => ({
  open: new Map(),
  discs: new Set(),
  layers: new Map(),
  frozen: new Map(),
  snapshots: new Map(),
});
const unused = async (): Promise<never> => {
  throw new Error('the fake storage only opens, closes and freezes disks');
};
const infoOf = (vdi: string, of: string): VdiInfo => ({
  ...{ vdi, name: '', description: '', format: 'raw', virtualSize: 1, physicalUtilisation: 1 },
  ...{ readOnly: true, snapshotOf: of },
});

/** Storage in memory: every disk that is asked for exists. One writer or many readers, as the contract says. */
export function fakeStorage(o: { disks?: FakeDisks; trouble?: Trouble } = {}): FakeStorage {
  const disks = o.disks ?? noDisks();
  const { open, layers, frozen, snapshots, discs } = disks;
  const key = (sr: string, vdi: string, user: string) => `${sr}/${vdi}/${user}`;
  const layerPath = (disk: string, layer: number) => `/fake/${disk}${layer === 0 ? '' : `#${layer}`}`;
  const pathOf = (sr: string, vdi: string) => layerPath(`${sr}/${vdi}`, layers.get(`${sr}/${vdi}`) ?? 0);
  const group = { create: unused, destroy: unused, stat: unused };
  return {
    disks,
    pathOf,
    watch: () => () => undefined,
    sr: {
      ...group,
      types: async () => [],
      attach: unused,
      detach: unused,
      probe: unused,
      scan: unused,
      coalesce: unused,
    },
    disc: {
      async open({ user, label }): Promise<OpenDisk> {
        await o.trouble?.('disc.open');
        discs.add(user);
        return { path: `/fake/discs/${user}/${label}`, format: 'raw', readOnly: true };
      },
      async close({ user }): Promise<void> {
        await o.trouble?.('disc.close');
        discs.delete(user);
      },
      users: async () => [...discs],
    },
    transfer: { begin: unused, serve: unused, wait: unused, cancel: unused },
    changes: { between: unused, note: unused, forget: unused },
    vdi: {
      ...group,
      resize: unused,
      clone: unused,
      copy: unused,
      rename: unused,
      async freeze({ sr, vdi, user, to }): Promise<OpenDisk> {
        await o.trouble?.('vdi.freeze');
        if (open.get(key(sr, vdi, user))?.mode !== 'RW') throw storageErrors.make('Not_open', { vdi, user });
        const disk = `${sr}/${vdi}`;
        if (frozen.get(disk) !== to) layers.set(disk, (layers.get(disk) ?? 0) + 1);
        frozen.set(disk, to);
        return { path: pathOf(sr, vdi), format: 'raw', readOnly: false };
      },
      async snapshot({ sr, vdi, to }): Promise<VdiInfo> {
        await o.trouble?.('vdi.snapshot');
        const disk = `${sr}/${vdi}`;
        if (snapshots.has(`${sr}/${to}`)) return infoOf(to, vdi);
        if (frozen.get(disk) !== to) throw storageErrors.make('Vdi_in_use', { vdi, user: 'somebody' });
        frozen.delete(disk);
        snapshots.set(`${sr}/${to}`, layerPath(disk, (layers.get(disk) ?? 0) - 1));
        return infoOf(to, vdi);
      },
      async destroy({ sr, vdi }): Promise<void> {
        await o.trouble?.('vdi.destroy');
        snapshots.delete(`${sr}/${vdi}`);
      },
      async open({ sr, vdi, user, mode }): Promise<OpenDisk> {
        await o.trouble?.('vdi.open');
        const clash = [...open.values()].find(
          (u) => u.sr === sr && u.vdi === vdi && (u.user === user ? u.mode !== mode : u.mode === 'RW' || mode === 'RW'),
        );
        if (clash) throw storageErrors.make('Vdi_in_use', { vdi, user: clash.user });
        open.set(key(sr, vdi, user), { sr, vdi, user, mode });
        return { path: pathOf(sr, vdi), format: 'raw', readOnly: mode === 'RO' };
      },
      async close({ sr, vdi, user }): Promise<void> {
        await o.trouble?.('vdi.close');
        if (open.get(key(sr, vdi, user))?.mode === 'RW') frozen.delete(`${sr}/${vdi}`);
        open.delete(key(sr, vdi, user));
      },
      users: async () => [...open.values()],
    },
  };
}
