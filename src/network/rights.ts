/** Whether this process may change the host's network: root in a container often may not. */
import { existsSync, readFileSync } from 'node:fs';

const netAdmin = 12n; // CAP_NET_ADMIN

/** What it lacks; '' when it lacks nothing. `status`: as /proc/self/status has it. */
export function rightsTrouble(status: string = readFileSync('/proc/self/status', 'utf8')): string {
  if (!/^Uid:\s*\d+\s+0\s/m.test(status)) return 'root';
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  if ((BigInt(`0x${effective}`) >> netAdmin) & 1n) return '';
  return 'CAP_NET_ADMIN, which this container does not give to root (Docker: --cap-add NET_ADMIN)';
}

/** What is missing for guests' interfaces on bridges; '' when nothing is. */
export function tapTrouble(device = '/dev/net/tun'): string {
  if (existsSync(device)) return '';
  return `${device}, which is missing: load the module tun, or give the device to this container (Docker: --device ${device})`;
}
