import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageNamed } from '../../client/client.ts';
import { callArguments, ownNames } from './call.ts';
import { commands } from './commands.ts';
import { completion } from './completion.ts';
import { derived } from './derived.ts';
import { familyCommand, verbsOf } from './family.ts';
import { allNames, describe, helpPage } from './help.ts';
import { classOf } from './reader.ts';
import { families } from './records/index.ts';
import { verbs } from './verbs.ts';

test('there are as many commands as the reference has', () => {
  const generated = families.flatMap((f) => verbsOf(f).map((v) => `${f.prefix}-${v}`));
  assert.equal(commands.length, 387);
  assert.equal(families.length, 55);
  assert.equal(generated.length, 288);
  assert.equal(new Set([...commands.map((c) => c.name), ...generated]).size, 675);
});

test('every command has a way to run and a sentence of help', () => {
  for (const c of commands) {
    assert.ok(c.absent || verbs[c.name] || c.call || c.get || c.put, `${c.name} has nothing behind it`);
    assert.match(describe(c), /^[A-Z].*\.$/, c.name);
  }
  for (const name of Object.keys(verbs))
    assert.ok(
      commands.some((c) => c.name === name),
      `${name} is not declared`,
    );
  for (const name of allNames()) assert.match(helpPage(name), /description {5}: \S/);
});

test('every call is a message of the API, and each of its parameters comes from somewhere', () => {
  const bare = (s: string) => s.replaceAll(/[-_:]/g, '').toLowerCase();
  for (const c of commands) {
    if (!c.call) continue;
    for (const method of [c.call, ...(c.forced ? [c.forced] : [])]) {
      const m = messageNamed(method);
      for (const name of Object.keys(c.args ?? {}))
        assert.ok(name in m.params, `${c.name}: ${method} has no parameter ${name}`);
      for (const source of Object.values(c.args ?? {})) {
        if (source.startsWith('=')) continue;
        const names = source.replaceAll(/[<{}/]/g, '').split(/[|,]/);
        for (const n of names) assert.ok(ownNames(c).includes(n), `${c.name}: ${n} is not its parameter`);
      }
      for (const [i, [name, type]] of Object.entries(m.params).entries()) {
        const own = ownNames(c).map(bare);
        const given =
          c.args?.[name] !== undefined ||
          own.includes(bare(name)) ||
          own.includes(`${bare(name)}uuid`) ||
          (i === 0 && type.kind === 'ref' && (c.select === type.cls || own.includes('uuid'))) ||
          type.kind === 'record' ||
          type.default !== undefined ||
          (type.kind === 'ref' && (type.cls === 'pool' || type.cls === 'host'));
        assert.ok(given, `${c.name}: nothing gives ${method}'s ${name}`);
      }
    }
  }
  assert.equal(typeof callArguments, 'function');
});

test('every row of a record leads to a field, a message or a derivation', () => {
  const used = new Set<string>();
  for (const { record } of families) {
    assert.equal(new Set(record.rows.map((r) => r.name)).size, record.rows.length, record.cls);
    for (const row of record.rows) {
      const what = `${record.cls}.${row.name}`;
      if (row.derived) {
        assert.ok(derived[what], `${what} is not in derived.ts`);
        used.add(what);
      } else if (row.call) messageNamed(row.call);
      else {
        let cls = record.cls;
        for (const step of row.path.split('>')) {
          const type = classOf(cls).fields[step]?.type;
          assert.ok(type, `${what}: ${cls} has no field ${step}`);
          cls = type.cls ?? cls;
        }
      }
      if (row.settable && !row.via?.set) messageNamed(`${record.cls}.set_${row.path}`);
      if (row.addable && !row.via && !row.whole) {
        const [add, remove] = row.kind === 'map' ? ['add_to_', 'remove_from_'] : ['add_', 'remove_'];
        messageNamed(`${record.cls}.${add}${row.path}`);
        messageNamed(`${record.cls}.${remove}${row.path}`);
      }
      for (const method of Object.values(row.via ?? {})) messageNamed(method);
    }
  }
  assert.deepEqual(
    Object.keys(derived).filter((d) => !used.has(d)),
    [],
  );
});

test('columns and filters of families are rows', () => {
  for (const f of families)
    for (const name of [...f.columns, ...Object.keys(f.filters)])
      assert.ok(
        f.record.rows.some((r) => r.name === name),
        `${f.prefix}: ${name}`,
      );
});

test('names of families are taken apart rightly', () => {
  assert.equal(familyCommand('vm-group-list')?.family.prefix, 'vm-group');
  assert.equal(familyCommand('host-cpu-param-get')?.verb, 'param-get');
  assert.equal(familyCommand('role-param-set'), undefined);
  assert.equal(familyCommand('vm-list-list'), undefined);
});

test('completion names every command', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const text = completion(shell);
    for (const name of allNames())
      if (!commands.find((c) => c.name === name)?.absent) assert.ok(text.includes(name), `${shell}: ${name}`);
  }
  assert.throws(() => completion('csh'), /bash, zsh or fish/);
});
