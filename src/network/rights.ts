/** Whether this process may change the host's network: root in a container often may not. */
import { readFileSync } from 'node:fs';

const netAdmin = 12n; // CAP_NET_ADMIN

/** What it lacks; '' when it lacks nothing. `status`: as /proc/self/status has it. */
export function rightsTrouble(status: string = readFileSync('/proc/self/status', 'utf8')): string {
  if (!/^Uid:\s*\d+\s+0\s/m.test(status)) return 'root';
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  if ((BigInt(`0x${effective}`) >> netAdmin) & 1n) return '';
  return 'CAP_NET_ADMIN, which this container does not give to root (Docker: --cap-add NET_ADMIN)';
}
