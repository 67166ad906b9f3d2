/**
 * The broker's own interface on the bus. Every broker stands in line for the name, so that whoever must know the domain behind a
 * connection finds all of them (`ListQueuedOwners`) and asks each.
 */
import type { BusConnection } from '../bus/connection.ts';
import { BusError, type BusInterface, busErrors, method } from '../bus/interface.ts';
import type { Policy } from './policy.ts';
import { Judge, type Judged, type Source } from './verdict.ts';

export const brokerName = 'com.citrix.xenclient.rpc_proxy';
export const brokerInterface: BusInterface = {
  name: brokerName,
  methods: {
    validate_call: method('domain:i destination:s interface:s member:s', 'r:b'),
    validate_recv_signal: method('domain:i interface:s member:s', 'r:b'),
    validate_send_signal: method('domain:i interface:s member:s', 'r:b'),
    add_rule: method('rule:s'),
    delete_rule: method('rule:s'),
    list_rules: method('', 'rules:as'),
    // Ours: who is behind a connection of this broker (no uuid: empty); an error for every other connection.
    GetConnectionDOMID: method('name:s', 'domain:i'),
    GetConnectionSource: method('name:s', 'domain:i uuid:s stubdom:b'),
  },
};

export interface ServiceParts {
  readonly policy: Policy;
  readonly connections: ReadonlyMap<string, Source>;
  /** Who a domain is; its uuid may be unknown. */
  readonly sourceOf: (domid: number) => Promise<Source>;
}

export function serveBroker(bus: BusConnection, { policy, connections, sourceOf }: ServiceParts): () => void {
  const may = async (
    domid: number,
    direction: 'incoming' | 'outgoing',
    message: Judged,
  ): Promise<readonly [boolean]> => {
    if (domid === 0) return [true];
    const { uuid } = await sourceOf(domid);
    if (uuid === null || policy.broken) return [false];
    // Judged as an ordinary domain of which nothing else is known.
    const source: Source = { domid, uuid, stubdom: false };
    const rules = [...policy.rules, ...(await policy.ownRules(uuid))];
    const judge = new Judge(rules, source, new Map(), policy.parts.options);
    return [judge.decided(direction, message)?.allow ?? false];
  };
  const fixed = () => {
    throw new BusError(busErrors.notSupported, 'rules are changed in their file, which is read again at SIGHUP');
  };
  const behind = (name: unknown): Source => {
    const source = connections.get(String(name));
    if (!source) throw new BusError(busErrors.noOwner, `${name} is no connection of this broker`);
    return source;
  };
  return bus.serve('/', brokerInterface, {
    validate_call: ([domid, destination, name, member]) =>
      may(domid as number, 'incoming', { kind: 'method-call', ...texts({ destination, interface: name, member }) }),
    validate_recv_signal: ([domid, name, member]) =>
      may(domid as number, 'outgoing', { kind: 'signal', ...texts({ interface: name, member }) }),
    validate_send_signal: ([domid, name, member]) =>
      may(domid as number, 'incoming', { kind: 'signal', ...texts({ interface: name, member }) }),
    add_rule: fixed,
    delete_rule: fixed,
    list_rules: () => [policy.rules.map((rule) => rule.text)],
    GetConnectionDOMID: ([name]) => [behind(name).domid],
    GetConnectionSource: ([name]) => {
      const { domid, uuid, stubdom } = behind(name);
      return [domid, uuid ?? '', stubdom];
    },
  });
}
const texts = (fields: Readonly<Record<string, unknown>>) => fields as Readonly<Record<string, string>>;
