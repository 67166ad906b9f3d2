/** Introspection documents of what is served. */
import type { BusArgument, BusInterface } from './interface.ts';
import { method } from './interface.ts';

export const standardInterfaces = {
  introspectable: { name: 'org.freedesktop.DBus.Introspectable', methods: { Introspect: method('', 'xml_data:s') } },
  peer: {
    name: 'org.freedesktop.DBus.Peer',
    methods: { Ping: method(''), GetMachineId: method('', 'machine_uuid:s') },
  },
} as const satisfies Readonly<Record<string, BusInterface>>;

const doctype = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;
const argument = ({ name, type }: BusArgument, direction?: string) =>
  `      <arg name="${name}" type="${type}"${direction ? ` direction="${direction}"` : ''}/>\n`;

/** The document of one object: its interfaces and the names of the nodes directly below it. */
export function introspection(interfaces: readonly BusInterface[], children: readonly string[]): string {
  return `${doctype}<node>\n${interfaces.map(interfaceText).join('')}${children.map((c) => `  <node name="${c}"/>\n`).join('')}</node>\n`;
}
function interfaceText({ name, methods, signals = {} }: BusInterface): string {
  const methodTexts = Object.entries(methods).map(([member, { in: taken, out }]) => {
    const all = [...taken.map((a) => argument(a, 'in')), ...out.map((a) => argument(a, 'out'))].join('');
    return all ? `    <method name="${member}">\n${all}    </method>\n` : `    <method name="${member}"/>\n`;
  });
  const signalTexts = Object.entries(signals).map(
    ([member, list]) => `    <signal name="${member}">\n${list.map((a) => argument(a)).join('')}    </signal>\n`,
  );
  return `  <interface name="${name}">\n${methodTexts.join('')}${signalTexts.join('')}  </interface>\n`;
}
