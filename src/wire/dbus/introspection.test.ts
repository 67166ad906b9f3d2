import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIntrospection } from './introspection.ts';

const head = `<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
`;

test('all that a description has', () => {
  const text = `${head}<node name="/x" xmlns:tp="http://telepathy.freedesktop.org/wiki/DbusSpec#extensions-v0">
  <tp:enum name="MODE" type="u"><tp:docstring>How.</tp:docstring><tp:enumvalue suffix="ON" value="1"/></tp:enum>
  <interface name="a.b">
    <tp:docstring>One
      thing.</tp:docstring>
    <method name="M"><annotation name="x" value="y"/><arg name="in" type="a{sv}"/><arg type="s" direction="out"/></method>
    <signal name="S"><arg name="what" type="(si)"/></signal>
    <property name="some-thing" type="b" access="readwrite"><tp:docstring>Whether.</tp:docstring></property>
    <tp:enum name="KIND" type="s"><tp:enumvalue suffix="NONE" value=""/></tp:enum>
  </interface>
  <node name="child"/>
</node>`;
  assert.deepEqual(parseIntrospection('f', text), {
    name: '/x',
    interfaces: [
      {
        name: 'a.b',
        methods: [{ name: 'M', in: [{ name: 'in', type: 'a{sv}' }], out: [{ name: '', type: 's' }], doc: '' }],
        signals: [{ name: 'S', args: [{ name: 'what', type: '(si)' }], doc: '' }],
        properties: [{ name: 'some-thing', type: 'b', access: 'readwrite', doc: 'Whether.' }],
        doc: 'One thing.',
      },
    ],
    enums: [
      { name: 'MODE', type: 'u', values: [{ suffix: 'ON', value: '1' }], doc: 'How.' },
      { name: 'KIND', type: 's', values: [{ suffix: 'NONE', value: '' }], doc: '' },
    ],
    children: ['child'],
  });
});

test('every mistake is told with its place', () => {
  const text = `${head}<node>
  <interface name="ab">
    <method name="M-x"><arg name="a" type="ss"/><arg name="b" type="z" direction="inout"/></method>
    <property name="p" type="s"/>
    <property name="p" type="s" access="read"/>
  </interface>
</node>`;
  assert.throws(
    () => parseIntrospection('f.xml', text),
    (error: Error) => {
      assert.deepEqual(
        error.message.split('\n').map((line) => line.split(': ').slice(0, 3).join(': ')),
        [
          'f.xml:4:3: interface: name "ab"',
          'f.xml:5:49: arg: direction inout',
          'f.xml:5:5: method: name "M-x"',
          'f.xml:5:24: arg: type "ss"',
          'f.xml:6:5: property: access missing',
          'f.xml:7:5: property: p is there already',
        ],
      );
      return true;
    },
  );
});

test('what is no document', () => {
  for (const [text, why] of [
    ['<node>', /^f:[0-9]+:[0-9]+: node: .*unclosed/],
    ['<other/>', /^f:1:1: other: the outermost element is node/],
    ['<!DOCTYPE node [<!ENTITY a "b">]><node/>', /type of document/],
    ['x'.repeat((4 << 20) + 1), /more than 4194304/],
  ] as const)
    assert.throws(() => parseIntrospection('f', text), { name: 'IdlError', message: why });
});
