/** Message switches by their addresses. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Switch } from '../contracts/switch.ts';
import { parseSwitchAddress } from '../wire/switch-address.ts';
import { connectSwitch } from './client.ts';

/** The switch at an address; nothing is connected before somebody logs in. TypeError on what is no address. */
export function switchAt(address: string, parts: { readonly clock: Clock; readonly log: Log }): Switch {
  const parsed = parseSwitchAddress(address);
  if (parsed.kind === 'socket') return connectSwitch(parsed.path);
  return {
    // Its library is loaded only by who uses it.
    login: async (token) => (await import('./nats/session.ts')).loginToNats(parsed.nats, token, parts),
  };
}
