/**
 * The broker's own interface on the bus. Every broker stands in line for the name, so that whoever must know the domain behind a
 * connection finds all of them (`ListQueuedOwners`) and asks each.
 */
import { serveComCitrixXenclientRpcProxy } from '../bus/generated/rpc-proxy-server.ts';
import { BusError, type BusServer, busErrors } from '../bus/interface.ts';
import type { Policy } from './policy.ts';
import { Judge, type Judged, type Source } from './verdict.ts';

export interface ServiceParts {
  readonly policy: Policy;
  readonly connections: ReadonlyMap<string, Source>;
  /** Who a domain is; its uuid may be unknown. */
  readonly sourceOf: (domid: number) => Promise<Source>;
}

export function serveBroker(bus: BusServer, { policy, connections, sourceOf }: ServiceParts): () => void {
  const may = async (domid: number, direction: 'incoming' | 'outgoing', message: Judged): Promise<boolean> => {
    if (domid === 0) return true;
    const { uuid } = await sourceOf(domid);
    if (uuid === null || policy.broken) return false;
    // Judged as an ordinary domain of which nothing else is known.
    const source: Source = { domid, uuid, stubdom: false };
    const rules = [...policy.rules, ...(await policy.ownRules(uuid))];
    const judge = new Judge(rules, source, new Map(), policy.parts.options);
    return judge.decided(direction, message)?.allow ?? false;
  };
  const fixed = (): never => {
    throw new BusError(busErrors.notSupported, 'rules are changed in their file, which is read again at SIGHUP');
  };
  const behind = (name: string): Source => {
    const source = connections.get(name);
    if (!source) throw new BusError(busErrors.noOwner, `${name} is no connection of this broker`);
    return source;
  };
  return serveComCitrixXenclientRpcProxy(bus, '/', {
    validateCall: (domid, destination, name, member) =>
      may(domid, 'incoming', { kind: 'method-call', destination, interface: name, member }),
    validateRecvSignal: (domid, name, member) => may(domid, 'outgoing', { kind: 'signal', interface: name, member }),
    validateSendSignal: (domid, name, member) => may(domid, 'incoming', { kind: 'signal', interface: name, member }),
    addRule: fixed,
    deleteRule: fixed,
    listRules: () => policy.rules.map((rule) => rule.text),
    getConnectionDOMID: (name) => behind(name).domid,
    getConnectionSource(name) {
      const { domid, uuid, stubdom } = behind(name);
      return [domid, uuid ?? '', stubdom];
    },
  });
}
