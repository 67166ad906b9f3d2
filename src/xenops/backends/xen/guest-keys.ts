/**
 * What guests say of themselves in the store, below `data` and `attr`, which are theirs to write. A guest may write there as fast and as
 * much as the store lets it: only keys that are known are read, so many of each kind, and after a change not before `settleMs`.
 *
 *     not built ──build, found──▶ watched ──the guest writes──▶ to be read ──▶ a report
 *                                    ▲                              │
 *                                    └──────────── ended, gone ─────┘
 */
import { bestEffort } from '../../../base/best-effort.ts';
import type { GuestReport } from '../../../contracts/guest.ts';
import type { Store } from '../../../contracts/xenstore.ts';
import { bounded } from '../../guest-report.ts';
import type { Domain, DomainNeeds } from './domain.ts';
import { domainPath } from './store-layout.ts';

const settleMs = 1000;
const mostVolumes = 32;
const mostAddresses = 16;

interface Watched {
  readonly domid: number;
  report: GuestReport | undefined;
  text: string;
  cancel: (() => void) | undefined;
  end: Promise<() => Promise<void>>;
}

export class GuestKeys {
  readonly #needs: Pick<DomainNeeds, 'store' | 'clock' | 'log'>;
  readonly #domains: ReadonlyMap<string, Domain>;
  readonly #watched = new Map<string, Watched>();

  constructor(needs: Pick<DomainNeeds, 'store' | 'clock' | 'log'>, domains: ReadonlyMap<string, Domain>) {
    this.#needs = needs;
    this.#domains = domains;
  }
  reportOf(vm: string): GuestReport | undefined {
    return this.#watched.get(vm)?.report;
  }
  /** Something happened to the domain of this VM: it is watched while its guest lives. */
  look(vm: string): void {
    const domain = this.#domains.get(vm);
    const lives = domain?.built === true && !domain.doomed && domain.endOf(domain.info()) === undefined;
    const there = this.#watched.get(vm);
    if (there && (!lives || there.domid !== domain.domid)) this.drop(vm);
    if (!lives || this.#watched.has(vm)) return;
    const watched: Watched = {
      domid: domain.domid,
      report: undefined,
      text: '',
      cancel: undefined,
      end: Promise.resolve(async () => undefined),
    };
    this.#watched.set(vm, watched);
    const changed = () => {
      if (this.#watched.get(vm) !== watched) return;
      watched.cancel ??= this.#needs.clock.after(settleMs, () => void this.#read(domain, watched));
    };
    watched.end = this.#watch(domain.domid, changed);
    watched.end.catch((error: unknown) => {
      this.#needs.log.warn('what a guest says in the store is not heard', { vm, error: String(error) });
      this.drop(vm);
    });
  }
  drop(vm: string): void {
    const watched = this.#watched.get(vm);
    if (!watched) return;
    this.#watched.delete(vm);
    watched.cancel?.();
    void bestEffort('a watch of a guest that is gone', this.#needs.log, async () => (await watched.end)());
  }
  async close(): Promise<void> {
    const all = [...this.#watched.values()];
    for (const vm of [...this.#watched.keys()]) this.drop(vm);
    await Promise.allSettled(all.map(({ end }) => end));
  }

  async #watch(domid: number, changed: () => void): Promise<() => Promise<void>> {
    const base = domainPath(domid);
    const ends = await Promise.all(['data', 'attr'].map((name) => this.#needs.store.watch(`${base}/${name}`, changed)));
    return async () => {
      await Promise.all(ends.map((end) => end()));
    };
  }
  async #read(domain: Domain, watched: Watched): Promise<void> {
    watched.cancel = undefined;
    const report = await bestEffort('what a guest says in the store', this.#needs.log, () =>
      readReport(
        this.#needs.store,
        watched.domid,
        domain.record.nics.map(({ spec }) => spec),
      ),
    );
    const text = JSON.stringify(report) ?? '';
    if (this.#watched.get(domain.vm) !== watched || text === watched.text) return;
    Object.assign(watched, { report, text });
    domain.changed();
  }
}

interface Interface {
  readonly position: number;
  readonly mac: string;
}
/** Undefined while the guest has said nothing: its agent writes its own version, or the system's name, first. */
export async function readReport(
  store: Pick<Store, 'find' | 'directory'>,
  domid: number,
  nics: readonly Interface[],
): Promise<GuestReport | undefined> {
  const find = async (key: string) => (await store.find(`${domainPath(domid)}/${key}`)) ?? '';
  const names = async (key: string, most: number) =>
    (await store.directory(`${domainPath(domid)}/${key}`).catch(() => [])).slice(0, most);
  const addons = ['Major', 'Minor', 'Micro'].map((part) => find(`attr/PVAddons/${part}Version`));
  const version = (await Promise.all(addons)).filter((part) => part !== '').join('.');
  const keys = ['name', 'uname', 'distro', 'majorver', 'minorver'] as const;
  const [name = '', uname = '', distro = '', major = '', minor = ''] = await Promise.all(
    keys.map((key) => find(`data/os_${key}`)),
  );
  if (version === '' && name === '' && uname === '') return undefined;
  const addresses: Record<string, string[]> = {};
  for (const { position, mac } of nics) {
    const listed = async (key: string, leaf = '') =>
      Promise.all((await names(key, mostAddresses)).map((each) => find(`${key}/${each}${leaf}`)));
    addresses[mac.toLowerCase()] = [
      ...(await listed(`attr/vif/${position}/ipv4`)),
      // Agents of before.
      await find(`attr/eth${position}/ip`),
      ...(await listed(`attr/vif/${position}/ipv6`)),
      ...(await listed(`attr/eth${position}/ipv6`, '/addr')),
    ];
  }
  const [total, free] = [kibOf(await find('data/meminfo_total')), kibOf(await find('data/meminfo_free'))];
  const volumes = await names('data/volumes', mostVolumes);
  return bounded({
    agent: 'xen',
    version,
    hostName: (await find('data/host_name')) || (await find('data/hostname')),
    os: { name, uname, distro, major, minor },
    addresses,
    memory: total === null || free === null ? null : { total, free },
    disks: await Promise.all(volumes.map((each) => volume(find, `data/volumes/${each}`))),
    can: [],
  });
}
async function volume(find: (key: string) => Promise<string>, at: string): Promise<GuestReport['disks'][number]> {
  const [mount, device, type] = await Promise.all(
    ['mount_points/0', 'name', 'filesystem'].map((key) => find(`${at}/${key}`)),
  );
  const [size, free] = [number(await find(`${at}/size`)), number(await find(`${at}/free`))];
  const used = size === null || free === null || free > size ? null : size - free;
  return { mount: mount ?? '', device: device ?? '', type: type ?? '', total: size, used };
}
function number(text: string): number | null {
  const value = /^\d{1,16}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
}
function kibOf(text: string): number | null {
  const value = number(text);
  return value === null || value > Number.MAX_SAFE_INTEGER / 1024 ? null : value * 1024;
}
