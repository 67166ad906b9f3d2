/** What has passed an interface of the host, by the kernel's own count. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { networkErrors, type PortCounters } from '../contracts/network.ts';

/** As the guest behind it sees it: what the host receives there is what the guest has sent. Does_not_exist. */
export function countersOf(ifname: string, folder = '/sys/class/net'): PortCounters {
  const count = (name: string): number => {
    try {
      return Number(readFileSync(join(folder, ifname, 'statistics', name), 'utf8'));
    } catch (cause) {
      throw networkErrors.make('Does_not_exist', { what: 'interface', id: ifname }, { cause });
    }
  };
  return {
    rxBytes: count('tx_bytes'),
    rxPackets: count('tx_packets'),
    txBytes: count('rx_bytes'),
    txPackets: count('rx_packets'),
  };
}
