/**
 * Virtual disks (`vd:ID`): disks of a storage repository that are known by a number and may expire. They are VDIs of XenAPI; the
 * number and the time of expiry stand in `other_config`.
 *
 *     create ──▶ live ──time passes, delete──▶ expired ──undelete, setexpiry──▶ live
 *                                                 └── room is needed for a new one ──▶ gone (longest expired first)
 */
import type { Client } from '../../client/client.ts';
import type { VbdSpec } from '../../contracts/xenops.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { ApiError } from '../../datamodel/errors.ts';
import type { Rec } from '../../datamodel/index.ts';

export const numberKey = 'xen12-disk';
export const expiryKey = 'xen12-expires';
export const poolKey = 'xen12-pool';
const mib = 1 << 20;

export interface VirtualDisk {
  readonly id: string;
  readonly ref: Ref<'VDI'>;
  readonly uuid: string;
  /** Bytes. */
  readonly size: number;
  /** Seconds since the epoch; 0 for never. */
  readonly expires: number;
  readonly sr: Ref<'SR'>;
  /** Bytes that it takes. */
  readonly used: number;
}
export interface VirtualDisksOptions {
  readonly client: Client;
  /** Seconds since the epoch. */
  readonly now: () => number;
}
export type Media = NonNullable<VbdSpec['media']>;

export class VirtualDisks {
  readonly #client: Client;
  readonly #now: () => number;

  constructor({ client, now }: VirtualDisksOptions) {
    this.#client = client;
    this.#now = now;
  }
  /** Makes a folder of the host the place of new virtual disks. */
  async initialise(folder: string, extentMib: number): Promise<void> {
    const [host] = await this.#client.host.get_all();
    const sr = await this.#client.SR.create({
      host: host as Ref<'host'>,
      device_config: { location: folder },
      physical_size: 0,
      name_label: 'Virtual disks of Xen 1.2',
      name_description: folder,
      type: 'file',
      content_type: 'user',
      shared: false,
      sm_config: {},
    });
    await this.#client.SR.add_to_other_config({ self: sr, key: poolKey, value: String(extentMib) });
  }
  /** Answers its number. `expiryS`: seconds from now, 0 for never. */
  async create(bytes: number, expiryS: number): Promise<string> {
    const sr = await this.#pool();
    const all = await this.#all();
    const id = String(Math.max(0, ...all.map((d) => Number(d.id))) + 1);
    const args: Partial<Rec<'VDI'>> = {
      name_label: `Virtual disk ${id}`,
      SR: sr,
      virtual_size: bytes,
      type: 'user',
      sharable: false,
      read_only: false,
      other_config: { [numberKey]: id, [expiryKey]: String(this.#expiry(expiryS)) },
    };
    const spare = all.filter((d) => d.sr === sr && this.#isExpired(d)).sort((a, b) => a.expires - b.expires);
    for (;;) {
      try {
        await this.#client.VDI.create({ args });
        return id;
      } catch (error) {
        const next = spare.shift();
        if (!(error instanceof ApiError && error.code === 'SR_FULL') || !next) throw error;
        await this.#client.VDI.destroy({ self: next.ref });
      }
    }
  }
  /** Of one that lives; throws a sentence for others. */
  async lookup(id: string): Promise<VirtualDisk> {
    const disk = await this.#find(id);
    if (this.#isExpired(disk))
      throw new Error(`the virtual disk ${id} has expired; "xc_vd_tool undelete ${id}" keeps it`);
    return disk;
  }
  async media(id: string): Promise<Media> {
    const { sr, uuid } = await this.lookup(id);
    return { kind: 'vdi', sr: await this.#client.SR.get_uuid({ self: sr }), vdi: uuid };
  }
  /** Bytes of a VDI, whether or not it is a virtual disk of this door. */
  async sizeOf(uuid: string): Promise<number> {
    return this.#client.VDI.get_virtual_size({ self: await this.#client.VDI.get_by_uuid({ uuid }) });
  }
  async enlarge(id: string, bytes: number): Promise<void> {
    const { ref, size } = await this.lookup(id);
    await this.#client.VDI.resize({ vdi: ref, size: size + bytes });
  }
  /** Seconds from now; 0 for never. */
  async setExpiry(id: string, expiryS: number): Promise<void> {
    await this.#setExpiry(await this.lookup(id), this.#expiry(expiryS));
  }
  /** It expires now; its contents are there until their room is needed. */
  async delete(id: string): Promise<void> {
    await this.#setExpiry(await this.lookup(id), this.#now());
  }
  async undelete(id: string, expiryS: number): Promise<void> {
    await this.#setExpiry(await this.#find(id), this.#expiry(expiryS));
  }
  /** Those that live, by their numbers. */
  async list(): Promise<VirtualDisk[]> {
    return (await this.#all()).filter((d) => !this.#isExpired(d)).sort((a, b) => Number(a.id) - Number(b.id));
  }
  /** Bytes that new disks may take, those of expired ones among them. */
  async free(): Promise<number> {
    const sr = await this.#pool();
    await this.#client.SR.scan({ sr });
    const { physical_size, physical_utilisation } = await this.#client.SR.get_record({ self: sr });
    const expired = (await this.#all()).filter((d) => d.sr === sr && this.#isExpired(d));
    return Math.max(0, physical_size - physical_utilisation) + expired.reduce((sum, d) => sum + d.used, 0);
  }

  async #setExpiry({ ref }: VirtualDisk, at: number): Promise<void> {
    await this.#client.VDI.remove_from_other_config({ self: ref, key: expiryKey });
    await this.#client.VDI.add_to_other_config({ self: ref, key: expiryKey, value: String(at) });
  }
  #expiry(seconds: number): number {
    return seconds === 0 ? 0 : this.#now() + seconds;
  }
  #isExpired({ expires }: VirtualDisk): boolean {
    return expires !== 0 && expires <= this.#now();
  }
  async #all(): Promise<VirtualDisk[]> {
    const records = Object.entries(await this.#client.VDI.get_all_records()) as [Ref<'VDI'>, Rec<'VDI'>][];
    return records.flatMap(([ref, vdi]) => {
      const id = vdi.is_a_snapshot ? undefined : vdi.other_config[numberKey];
      if (id === undefined) return [];
      const expires = Number(vdi.other_config[expiryKey] ?? 0);
      const { uuid, virtual_size: size, SR: sr, physical_utilisation: used } = vdi;
      return [{ id, ref, uuid, size, expires, sr, used }];
    });
  }
  async #find(id: string): Promise<VirtualDisk> {
    const [disk, second] = (await this.#all()).filter((d) => d.id === id);
    if (!disk) throw new Error(`there is no virtual disk ${id}; "xc_vd_tool list" shows those that there are`);
    if (second)
      throw new Error(`two disks have the number ${id}: change VDI ${second.uuid}'s other-config:${numberKey}`);
    return disk;
  }
  /** What `initialise` made last, else the default repository. */
  async #pool(): Promise<Ref<'SR'>> {
    const records = Object.entries(await this.#client.SR.get_all_records()) as [Ref<'SR'>, Rec<'SR'>][];
    const own = records.filter(([, sr]) => sr.other_config[poolKey] !== undefined).at(-1);
    if (own) return own[0];
    const [pool] = Object.values(await this.#client.pool.get_all_records()) as Rec<'pool'>[];
    if (pool && records.some(([ref]) => ref === pool.default_SR)) return pool.default_SR;
    throw new Error('there is no place for virtual disks; "xc_vd_tool initialise FOLDER" makes one');
  }
}
/** Whole MiB, rounded up. */
export const toMib = (bytes: number): number => Math.ceil(bytes / mib);
export const fromMib = (n: number): number => n * mib;
