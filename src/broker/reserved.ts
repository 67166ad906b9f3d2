/**
 * What no rule gives to a guest. The bus takes a guest's connection for the broker's process, so it would let a guest do what it lets
 * the broker's user do: listen to everybody, change the bus itself. And who owns the brokers' name is believed about domains.
 */
import { type DbusMessage, firstString } from '../wire/dbus/message.ts';

export const brokerName = 'com.citrix.xenclient.rpc_proxy';
const bus = 'org.freedesktop.DBus';
const methods: readonly string[] = [
  'BecomeMonitor',
  'ReloadConfig',
  'UpdateActivationEnvironment',
  'EnableVerbose',
  'DisableVerbose',
  'GetAllMatchRules',
];

/** Why a message to the bus itself is denied whatever the rules say; undefined: they decide. */
export function reserved(message: DbusMessage): string | undefined {
  if (message.kind !== 'method-call' || message.destination !== bus) return undefined;
  const { member = '' } = message;
  if (methods.includes(member)) return `${member} of the bus is not for guests`;
  if (member === 'RequestName' && firstString(message) === brokerName) return `${brokerName} is for brokers`;
  if (member === 'AddMatch' && /eavesdrop/.test(firstString(message) ?? ''))
    return 'match rules that eavesdrop are not for guests';
  return undefined;
}
