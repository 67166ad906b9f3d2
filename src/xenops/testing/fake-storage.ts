import { type OpenDisk, type Storage, storageErrors } from '../../contracts/storage.ts';

type User = { readonly sr: string; readonly vdi: string; readonly user: string; readonly mode: 'RO' | 'RW' };
/** Fails a method, once it is told to: called with `vdi.open` and so on before anything is done. */
export type Trouble = (method: string) => Promise<void> | void;
export interface FakeStorage extends Storage {
  /** Who has what open; may be handed to a second fake, which is then the same storage after a restart. */
  readonly open: Map<string, User>;
  /** Who has volumes of files open. */
  readonly discs: Set<string>;
}
const unused = async (): Promise<never> => {
  throw new Error('the fake storage only opens and closes disks');
};

/** Storage in memory: every disk that is asked for exists. One writer or many readers, as the contract says. */
export function fakeStorage(o: { open?: Map<string, User>; discs?: Set<string>; trouble?: Trouble } = {}): FakeStorage {
  const open = o.open ?? new Map<string, User>();
  const discs = o.discs ?? new Set<string>();
  const key = (sr: string, vdi: string, user: string) => `${sr}/${vdi}/${user}`;
  const group = { create: unused, destroy: unused, stat: unused };
  return {
    open,
    discs,
    watch: () => () => undefined,
    sr: { ...group, types: async () => [], attach: unused, detach: unused, probe: unused, scan: unused },
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
    transfer: { begin: unused, wait: unused, cancel: unused },
    vdi: {
      ...group,
      resize: unused,
      snapshot: unused,
      clone: unused,
      copy: unused,
      rename: unused,
      async open({ sr, vdi, user, mode }): Promise<OpenDisk> {
        await o.trouble?.('vdi.open');
        const clash = [...open.values()].find(
          (u) => u.sr === sr && u.vdi === vdi && (u.user === user ? u.mode !== mode : u.mode === 'RW' || mode === 'RW'),
        );
        if (clash) throw storageErrors.make('Vdi_in_use', { vdi, user: clash.user });
        open.set(key(sr, vdi, user), { sr, vdi, user, mode });
        return { path: `/fake/${sr}/${vdi}`, format: 'raw', readOnly: mode === 'RO' };
      },
      async close({ sr, vdi, user }): Promise<void> {
        await o.trouble?.('vdi.close');
        open.delete(key(sr, vdi, user));
      },
      users: async () => [...open.values()],
    },
  };
}
