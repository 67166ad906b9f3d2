/**
 * Ports of the host that lead into a guest. `VIF.other_config:port-forwards` lists them with commas:
 * `PROTOCOL:HOST_ADDRESS:HOST_PORT:GUEST_PORT`, such as `tcp:127.0.0.1:2222:22,udp::5353:53`. The protocol is `tcp` or `udp`; an empty
 * address means 127.0.0.1, so that nothing is open to the outside unless `0.0.0.0` or an address of the host is written; IPv6
 * addresses stand in brackets.
 */
import type { Network } from '../../contracts/network.ts';
import type { Ref } from '../../datamodel/dsl.ts';
import { fail } from '../../datamodel/errors.ts';
import type { Reader } from '../../db/db.ts';

export const forwardsKey = 'port-forwards';

type Forward = Parameters<Network['forward']['set']>[0]['forwards'][number];
export type ParsedForward = Pick<Forward, 'protocol' | 'hostAddress' | 'hostPort' | 'guestPort'>;

const pattern = /^(tcp|udp):(\[[0-9a-f:.]+\]|[0-9.]*):(\d{1,5}):(\d{1,5})$/i;

/** VALUE_NOT_SUPPORTED names the part that cannot be read. */
export function parseForwards(text: string): ParsedForward[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [, protocol = '', address = '', host = '', guest = ''] = pattern.exec(part) ?? [];
      const [hostPort, guestPort] = [Number(host), Number(guest)];
      const isPort = (n: number) => n >= 1 && n <= 65535;
      if (protocol === '' || !isPort(hostPort) || !isPort(guestPort)) {
        const reason = 'Write PROTOCOL:HOST_ADDRESS:HOST_PORT:GUEST_PORT, such as tcp:127.0.0.1:2222:22';
        throw fail('VALUE_NOT_SUPPORTED', { field: `other_config:${forwardsKey}`, value: part, reason });
      }
      return {
        protocol: protocol.toLowerCase() as Forward['protocol'],
        hostAddress: address.replace(/^\[|\]$/g, '') || '127.0.0.1',
        hostPort,
        guestPort,
      };
    });
}

/** The list that an interface's record asks for. Templates and snapshots ask for nothing: a copy must not take the port of its original. */
export function wantedForwards(db: Reader, vif: Ref<'VIF'>): string {
  const record = db.find('VIF', vif);
  if (!record || db.find('VM', record.VM)?.is_a_template) return '';
  return record.other_config[forwardsKey] ?? '';
}

/**
 * Makes the forwards of an interface as its record says; none clears them. On networks of the kind `user` they take effect when the
 * interface is plugged next. Call it before a VM starts, after a plug and after a change of `other_config`.
 */
export async function applyForwards(
  parts: { readonly db: Reader; readonly network: Network },
  vif: Ref<'VIF'>,
): Promise<void> {
  const { uuid: device, VM } = parts.db.get('VIF', vif);
  const vm = parts.db.get('VM', VM).uuid;
  const forwards = parseForwards(wantedForwards(parts.db, vif)).map((f) => ({ ...f, vm, device }));
  await parts.network.forward.set({ vm, device, forwards });
}
