/** Introspection documents of what is served. */
import type { BusArgument, BusInterface } from './interface.ts';
import { method } from './interface.ts';

export const standardInterfaces = {
  introspectable: { name: 'org.freedesktop.DBus.Introspectable', methods: { Introspect: method('', 'xml_data:s') } },
  properties: {
    name: 'org.freedesktop.DBus.Properties',
    methods: {
      Get: method('interface_name:s property_name:s', 'value:v'),
      Set: method('interface_name:s property_name:s value:v'),
      GetAll: method('interface_name:s', 'properties:a{sv}'),
    },
  },
  peer: {
    name: 'org.freedesktop.DBus.Peer',
    methods: { Ping: method(''), GetMachineId: method('', 'machine_uuid:s') },
  },
} as const satisfies Readonly<Record<string, BusInterface>>;

const doctype = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;
/** Nobody is told of changes by PropertiesChanged: interfaces have signals of their own for what matters. */
const unsignalled = '      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>\n';
const argument = ({ name, type }: BusArgument, direction?: string) =>
  `      <arg name="${name}" type="${type}"${direction ? ` direction="${direction}"` : ''}/>\n`;

/** The document of one object: its interfaces and the names of the nodes directly below it. */
export function introspection(interfaces: readonly BusInterface[], children: readonly string[]): string {
  return `${doctype}<node>\n${interfaces.map(interfaceText).join('')}${children.map((c) => `  <node name="${c}"/>\n`).join('')}</node>\n`;
}
function interfaceText({ name, methods, signals = {}, properties = {} }: BusInterface): string {
  const methodTexts = Object.entries(methods).map(([member, { in: taken, out }]) => {
    const all = [...taken.map((a) => argument(a, 'in')), ...out.map((a) => argument(a, 'out'))].join('');
    return all ? `    <method name="${member}">\n${all}    </method>\n` : `    <method name="${member}"/>\n`;
  });
  const signalTexts = Object.entries(signals).map(
    ([member, list]) => `    <signal name="${member}">\n${list.map((a) => argument(a)).join('')}    </signal>\n`,
  );
  const propertyTexts = Object.entries(properties).map(
    ([each, { type, access }]) =>
      `    <property name="${each}" type="${type}" access="${access}">\n${unsignalled}    </property>\n`,
  );
  const members = [...methodTexts, ...signalTexts, ...propertyTexts].join('');
  return `  <interface name="${name}">\n${members}  </interface>\n`;
}
