/** The lease files of our DHCP servers: read when they change. */
import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bestEffort } from '../base/best-effort.ts';
import type { Log } from '../base/log.ts';

export interface Lease {
  readonly bridge: string;
  readonly mac: string;
  readonly address: string;
  readonly hostname: string;
  /** Seconds since the epoch; 0 for never. */
  readonly expires: number;
}
export const leaseFile = 'leases';

/** dnsmasq's format: `expiry mac address hostname client-id`. Lines of other kinds (IPv6, cut short) are left out. */
export function parseLeases(bridge: string, text: string): readonly Lease[] {
  return text.split('\n').flatMap((line) => {
    const [expiry = '', mac = '', address = '', hostname = '*'] = line.split(' ');
    const whole = /^\d+$/.test(expiry) && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac) && /^[\d.]+$/.test(address);
    if (!whole) return [];
    return [
      {
        bridge,
        mac: mac.toLowerCase(),
        address,
        hostname: hostname === '*' ? '' : hostname,
        expires: Number(expiry),
      },
    ];
  });
}

export class LeaseWatch {
  readonly #log: Log;
  readonly #changed: (lease: Lease) => void;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #leases = new Map<string, readonly Lease[]>();
  /** Bridges whose file is being read, and whether it changed meanwhile. */
  readonly #reading = new Map<string, boolean>();

  /** `changed` hears of every address that is given or changed. */
  constructor(log: Log, changed: (lease: Lease) => void) {
    this.#log = log;
    this.#changed = changed;
  }
  list(bridge?: string): readonly Lease[] {
    if (bridge !== undefined) return this.#leases.get(bridge) ?? [];
    return [...this.#leases.values()].flat();
  }
  find(bridge: string, mac: string): Lease | undefined {
    return this.list(bridge).find((lease) => lease.mac === mac);
  }
  /** Watches the folder of a bridge, which exists. What is in the file already is no news. */
  async start(bridge: string, folder: string): Promise<void> {
    if (this.#watchers.has(bridge)) return;
    const watcher = watch(
      folder,
      { persistent: false },
      () => void bestEffort('the next change of the file is read', this.#log, () => this.#read(bridge, folder)),
    );
    watcher.on('error', (error) => this.#log.warn('leases are not watched any more', { bridge, error: String(error) }));
    this.#watchers.set(bridge, watcher);
    this.#leases.set(bridge, parseLeases(bridge, await textOf(folder)));
  }
  stop(bridge: string): void {
    this.#watchers.get(bridge)?.close();
    this.#watchers.delete(bridge);
    this.#leases.delete(bridge);
  }
  close(): void {
    for (const bridge of [...this.#watchers.keys()]) this.stop(bridge);
  }
  async #read(bridge: string, folder: string): Promise<void> {
    if (this.#reading.has(bridge)) {
      this.#reading.set(bridge, true);
      return;
    }
    try {
      do {
        this.#reading.set(bridge, false);
        const now = parseLeases(bridge, await textOf(folder));
        if (this.#watchers.has(bridge)) this.#replace(bridge, now);
      } while (this.#reading.get(bridge));
    } finally {
      this.#reading.delete(bridge);
    }
  }
  #replace(bridge: string, now: readonly Lease[]): void {
    const before = new Map(this.list(bridge).map((lease) => [lease.mac, lease.address]));
    this.#leases.set(bridge, now);
    for (const lease of now) if (before.get(lease.mac) !== lease.address) this.#changed(lease);
  }
}
async function textOf(folder: string): Promise<string> {
  try {
    return await readFile(join(folder, leaseFile), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
