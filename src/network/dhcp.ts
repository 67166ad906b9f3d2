/**
 * DHCP and DNS for the guests of `nat` networks: one dnsmasq for each bridge, kept running by the supervisor. Every
 * attached interface has an address kept for it, so that forwards are known before the guest asks, and stay.
 */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bestEffort } from '../base/best-effort.ts';
import { uniqueLabel } from '../base/host-name.ts';
import type { Log } from '../base/log.ts';
import { networkErrors } from '../contracts/network.ts';
import type { Processes } from '../contracts/processes.ts';
import { type Lease, LeaseWatch, leaseFile } from './lease.ts';
import { type AddressRecord, addressKey, type Records } from './records.ts';
import { first, freeAddress, last, maskText, type Subnet, toAddress, toNumber } from './subnet.ts';
import { findTool, missingTool } from './tool.ts';

/** The domain of guests' names: `web.guesthouse.internal`. */
const domain = 'guesthouse.internal';
const stopTimeoutMs = 2000;
const processId = (bridge: string): string => `dnsmasq-${bridge}`;

/** The whole command line; no configuration file is read. */
export function dnsmasqCommand(
  path: string,
  net: { bridge: string; subnet: Subnet; mtu: number | null },
  folder: string,
  group: string | undefined,
): readonly string[] {
  const { bridge, subnet, mtu } = net;
  const range = `${toAddress(first(subnet) + 1)},${toAddress(last(subnet) - 1)},${maskText(subnet)},12h`;
  return [
    path,
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file=',
    '--log-facility=-',
    '--bind-dynamic',
    `--interface=${bridge}`,
    '--except-interface=lo',
    '--user=nobody',
    ...(group ? [`--group=${group}`] : []),
    '--no-hosts',
    '--domain-needed',
    '--bogus-priv',
    `--domain=${domain}`,
    `--local=/${domain}/`,
    '--dhcp-authoritative',
    `--dhcp-range=${range}`,
    `--dhcp-leasefile=${join(folder, leaseFile)}`,
    `--dhcp-hostsdir=${join(folder, 'hosts')}`,
    ...(mtu === null ? [] : [`--dhcp-option=option:mtu,${mtu}`]),
  ];
}

export class DhcpServers {
  readonly #dir: string;
  readonly #processes: Processes;
  readonly #records: Records;
  readonly #log: Log;
  readonly #unwatch: () => void;
  readonly leases: LeaseWatch;

  constructor(dir: string, processes: Processes, records: Records, log: Log, changed: (lease: Lease) => void) {
    this.#dir = dir;
    this.#processes = processes;
    this.#records = records;
    this.#log = log;
    this.leases = new LeaseWatch(log, changed);
    this.#unwatch = processes.watch(({ event, process: { tags, exitCode } }) => {
      if (event !== 'exited' || tags['kind'] !== 'dnsmasq' || !exitCode) return;
      log.warn('the DHCP server ended; it is started again', {
        ...tags,
        exitCode,
        log: this.#logOf(tags['bridge'] ?? ''),
      });
    });
  }
  #logOf(bridge: string): string {
    return join(this.#dir, `${bridge}.log`);
  }
  #folder(bridge: string): string {
    return join(this.#dir, bridge);
  }
  /** A running server for the bridge; `fresh`: the bridge is a new one, a server of the old one is of no use. */
  async ensure(net: { bridge: string; subnet: Subnet; mtu: number | null }, fresh: boolean): Promise<void> {
    const { bridge } = net;
    const folder = this.#folder(bridge);
    await mkdir(join(folder, 'hosts'), { recursive: true, mode: 0o755 });
    await this.#warnOfClosedFolders(join(folder, 'hosts'));
    let stale = false;
    for (const row of this.#rowsOf(bridge)) if ((await this.#writeHost(row)) === 'changed') stale = true;
    await this.leases.start(bridge, folder);
    const path = findTool('dnsmasq');
    if (!path) throw networkErrors.make('Not_possible', { kind: 'nat', reason: missingTool('dnsmasq') });
    await this.#run(bridge, dnsmasqCommand(path, net, folder, await groupOfNobody()), fresh);
    if (stale && !fresh) await this.#reload(bridge);
  }
  async remove(bridge: string): Promise<void> {
    this.leases.stop(bridge);
    await this.#stop(bridge);
    for (const row of this.#rowsOf(bridge)) await this.#records.addresses.remove(addressKey(row));
    await rm(this.#folder(bridge), { recursive: true, force: true });
    await rm(this.#logOf(bridge), { force: true });
  }
  /** Keeps an address and a name for an interface: the same address as before when there was one. */
  async reserve(
    net: { bridge: string; subnet: Subnet; mtu: number | null },
    port: { readonly mac: string; readonly name?: string | undefined },
  ): Promise<void> {
    const { bridge } = net;
    const known = this.#records.addresses.get(addressKey({ bridge, mac: port.mac }));
    if (known) {
      if (await this.#keep(known, port.name)) await this.#reload(bridge);
      return;
    }
    const { address, recycled } = await this.#newAddress(net, port.mac);
    const serial = 1 + Math.max(0, ...this.#records.addresses.list().map((row) => row.serial));
    const changed = await this.#keep({ bridge, mac: port.mac, address, serial }, port.name);
    if (recycled) await this.ensure(net, true);
    else if (changed) await this.#reload(bridge);
  }
  async #newAddress(net: { bridge: string; subnet: Subnet }, mac: string) {
    const { bridge, subnet } = net;
    const rows = this.#rowsOf(bridge);
    const known = [...rows, ...this.leases.list(bridge).filter((lease) => lease.mac !== mac)];
    const lease = this.leases.find(bridge, mac);
    const taken = new Set(known.map((row) => toNumber(row.address)));
    const wish = lease && !taken.has(toNumber(lease.address)) ? toNumber(lease.address) : freeAddress(subnet, taken);
    if (wish !== undefined) return { address: toAddress(wish), recycled: false };
    return { address: await this.#recycle(net, rows), recycled: true };
  }
  /**
   * Notes an address with the name that is wished for, or one like it when another attached interface has that; one that is
   * not attached loses it. Answers whether the server knows something that is no longer so.
   */
  async #keep(row: AddressRecord, wish: string | undefined): Promise<boolean> {
    const others = this.#rowsOf(row.bridge).filter(({ mac }) => mac !== row.mac);
    const attached = new Set(this.#records.ports.list().map((port) => addressKey(port)));
    const taken = others.filter((other) => attached.has(addressKey(other))).map(({ name = '' }) => name);
    const name = wish === undefined ? row.name : uniqueLabel(wish, new Set(taken), row.name);
    const losers = others.filter((other) => name !== undefined && other.name === name);
    let stale = false;
    for (const next of [...losers.map((loser) => ({ ...loser, name: undefined })), { ...row, name }]) {
      await this.#records.addresses.put(addressKey(next), next);
      if ((await this.#writeHost(next)) === 'changed') stale = true;
    }
    return stale;
  }
  /** Where an interface is reached: what it was given, or what is kept for it. */
  addressOf(bridge: string, mac: string): string | undefined {
    return this.leases.find(bridge, mac)?.address ?? this.#records.addresses.get(addressKey({ bridge, mac }))?.address;
  }
  /** Stops watching; the servers run on. */
  close(): void {
    this.#unwatch();
    this.leases.close();
  }
  #rowsOf(bridge: string): readonly AddressRecord[] {
    return this.#records.addresses.list().filter((row) => row.bridge === bridge);
  }
  /** Every address is kept for somebody: takes the oldest from one that is not attached. */
  async #recycle({ bridge }: { bridge: string }, rows: readonly AddressRecord[]): Promise<string> {
    const attached = new Set(this.#records.ports.list().map((port) => addressKey(port)));
    const idle = rows.filter((row) => !attached.has(addressKey(row))).sort((a, b) => a.serial - b.serial);
    const [oldest] = idle;
    if (!oldest)
      throw networkErrors.make('Not_possible', { kind: 'nat', reason: `all addresses of ${bridge} are taken` });
    await this.#records.addresses.remove(addressKey(oldest));
    await rm(this.#hostFile(oldest), { force: true });
    return oldest.address;
  }
  #hostFile({ bridge, mac }: AddressRecord): string {
    return join(this.#folder(bridge), 'hosts', mac.replaceAll(':', '-'));
  }
  /** `changed`: the server may have read what was there before. */
  async #writeHost(row: AddressRecord): Promise<'same' | 'new' | 'changed'> {
    const text = `${[row.mac, row.address, ...(row.name === undefined ? [] : [row.name])].join()}\n`;
    const path = this.#hostFile(row);
    const there = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    if (there === text) return 'same';
    await writeFile(path, text, { mode: 0o644 });
    return there === '' ? 'new' : 'changed';
  }
  /** Files that are new are read by themselves; those that have changed, and the names of leases, only when the server is told. */
  async #reload(bridge: string): Promise<void> {
    const server = (await this.#processes.process.list({})).find((child) => child.id === processId(bridge));
    if (!server?.running) return;
    await bestEffort('it reads them when it is started again', this.#log, () => process.kill(server.pid, 'SIGHUP'));
  }
  async #run(bridge: string, command: readonly string[], fresh: boolean): Promise<void> {
    const id = processId(bridge);
    const { process } = this.#processes;
    const now = (await process.list({})).find((child) => child.id === id);
    if (now?.running && !fresh && now.command.join('\0') === command.join('\0')) return;
    await this.#stop(bridge);
    const ready = { kind: 'line', text: 'started, version' } as const;
    const tags = { bridge, kind: 'dnsmasq' };
    await process.start({ id, command, log: this.#logOf(bridge), restart: 'permanent', ready, tags });
  }
  async #stop(bridge: string): Promise<void> {
    const id = processId(bridge);
    const { process } = this.#processes;
    await process.stop({ id, timeoutMs: stopTimeoutMs });
    if ((await process.list({})).some((child) => child.id === id)) await process.forget({ id });
  }
  /** dnsmasq reads the folder as the user nobody. */
  async #warnOfClosedFolders(folder: string): Promise<void> {
    const closed: string[] = [];
    for (let at = folder; at !== dirname(at); at = dirname(at))
      if (((await stat(at)).mode & 0o001) === 0) closed.push(at);
    if (closed.length === 0) return;
    const advice = 'guests may get other addresses than those kept for them: chmod o+x these folders';
    this.#log.warn(advice, { folders: closed });
  }
}
async function groupOfNobody(): Promise<string | undefined> {
  const groups = await readFile('/etc/group', 'utf8');
  return ['nogroup', 'nobody'].find((name) => groups.split('\n').some((line) => line.startsWith(`${name}:`)));
}
