/** Bridges of ours, and taps on any bridge. What does not carry our mark is never changed or removed. */
import { readFile } from 'node:fs/promises';
import { networkErrors } from '../contracts/network.ts';
import { findLink, ip, type Link } from './link.ts';
import type { Marks } from './names.ts';
import type { NetworkRecord, PortRecord, Records } from './records.ts';

/** Made by this installation. One that was killed before it could set the alias knows its bridge by the address. */
export const isOurs = (link: Link, marks: Marks): boolean =>
  link.alias.startsWith(`${marks.alias}:`) || (link.alias === '' && link.mac === marks.mac(link.name));

/** Refuses (Foreign) a name that somebody else's link has. Answers our bridge when it is there. */
export async function ourBridge(name: string, marks: Marks): Promise<Link | undefined> {
  const link = await findLink(name);
  if (link && !(link.kind === 'bridge' && isOurs(link, marks))) throw networkErrors.make('Foreign', { name });
  return link;
}
/** Answers whether it had to be made. */
export async function ensureBridge(network: NetworkRecord, marks: Marks, records: Records): Promise<boolean> {
  const { bridge, kind, mtu } = network;
  const found = await ourBridge(bridge, marks);
  const alias = `${marks.alias}:${kind}`;
  const lines: (string | number)[][] = [];
  if (!found) {
    const options = ['type', 'bridge', 'stp_state', 0, 'forward_delay', 0];
    lines.push(['link', 'add', 'name', bridge, 'address', marks.mac(bridge), ...options]);
    // No address of its own by accident: an `internal` bridge must not reach the host.
    lines.push(['link', 'set', 'dev', bridge, 'addrgenmode', 'none']);
  }
  if (found?.alias !== alias) lines.push(['link', 'set', 'dev', bridge, 'alias', alias]);
  if (mtu !== null && found?.mtu !== mtu) lines.push(['link', 'set', 'dev', bridge, 'mtu', mtu]);
  if (!found?.up) lines.push(['link', 'set', 'dev', bridge, 'up']);
  await ip(...lines);
  for (const port of records.ports.list()) if (port.bridge === bridge) await rejoin(port, marks);
  return !found;
}
/** Puts a tap that lost its bridge back on it; one that is gone comes back with the next attach. */
async function rejoin(port: PortRecord, marks: Marks): Promise<void> {
  const tap = port.ifname === null ? undefined : await findLink(port.ifname);
  if (tap && isOurs(tap, marks) && tap.master !== port.bridge)
    await ip(['link', 'set', 'dev', tap.name, 'master', port.bridge], ['link', 'set', 'dev', tap.name, 'up']);
}
export async function removeBridge(name: string, marks: Marks): Promise<void> {
  if (await ourBridge(name, marks)) await ip(['link', 'del', 'dev', name]);
}
/** A persistent tap that the port's user may open, on its bridge and up. */
export async function ensureTap(
  port: PortRecord & { ifname: string },
  mtu: number | null,
  marks: Marks,
): Promise<void> {
  const { ifname: name, bridge, uid } = port;
  let found = await findLink(name);
  if (found && !isOurs(found, marks)) throw networkErrors.make('Foreign', { name });
  if (found && !(await isUser(found.tapUser, uid))) {
    await ip(['link', 'del', 'dev', name]);
    found = undefined;
  }
  const lines: (string | number)[][] = [];
  if (!found) {
    lines.push(['tuntap', 'add', 'dev', name, 'mode', 'tap', 'user', uid]);
    // A bridge takes the lowest address of its ports for its own: a tap must never be the lowest.
    lines.push(['link', 'set', 'dev', name, 'address', `fe${port.mac.slice(2)}`]);
    lines.push(['link', 'set', 'dev', name, 'alias', `${marks.alias}:tap`]);
    lines.push(['link', 'set', 'dev', name, 'addrgenmode', 'none']);
  }
  if (mtu !== null && found?.mtu !== mtu) lines.push(['link', 'set', 'dev', name, 'mtu', mtu]);
  if (found?.master !== bridge) lines.push(['link', 'set', 'dev', name, 'master', bridge]);
  if (!found?.up) lines.push(['link', 'set', 'dev', name, 'up']);
  await ip(...lines);
}
/** `ip` writes the name of a user that has one, whatever it is asked for. */
async function isUser(told: string | undefined, uid: number): Promise<boolean> {
  if (told === undefined || /^\d+$/.test(told)) return told === String(uid);
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  return users.some(([name, , number]) => name === told && number === String(uid));
}
export async function removeTap(name: string, marks: Marks): Promise<void> {
  const found = await findLink(name);
  if (found && isOurs(found, marks)) await ip(['link', 'del', 'dev', name]);
}
