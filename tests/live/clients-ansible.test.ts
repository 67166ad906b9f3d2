/** Debian's ansible with community.general's xenserver modules, unchanged, runs a VM's life; only the module XenAPI is of the tests. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { run, without } from './clients/program.ts';
import { cannotRun, type LiveHost, liveHost } from './host.ts';

const modules = '/usr/lib/python3/dist-packages/ansible_collections/community/general/plugins/modules';
const absent = without({ ansible: join(modules, 'xenserver_guest.py'), 'ansible-core': 'ansible-playbook' });
const fixtures = join(import.meta.dirname, 'clients');
const mib = 1024 * 1024;

interface Instance {
  readonly name: string;
  readonly state: string;
  readonly is_template: boolean;
  readonly folder: string;
  readonly home_server: string;
  readonly hardware: Readonly<Record<string, number>>;
  readonly disks: readonly Readonly<Record<string, string | number>>[];
  readonly cdrom: Readonly<Record<string, string>>;
  readonly networks: readonly Readonly<Record<string, string>>[];
}
interface Result {
  readonly changed: boolean;
  readonly failed?: boolean;
  readonly msg?: string;
  readonly changes?: unknown;
  readonly instance: Instance;
}
interface Play {
  readonly plays: readonly { tasks: readonly { task: { name: string }; hosts: { localhost: Result } }[] }[];
}
interface Variables {
  readonly url: string;
  readonly template: string;
  /** Whether the guest obeys its power button and asks for an address. */
  readonly answers: boolean;
}

/** Runs the playbook; answers a task's result by the task's name. Fails with what ansible said when the play did not end well. */
async function play(h: LiveHost, variables: Variables): Promise<(task: string) => Result> {
  writeFileSync(join(h.data, 'iso', 'playbook.iso'), randomBytes(65_536));
  const [isos] = (await h.call('SR.get_by_name_label', 'ISO images')) as string[];
  await h.call('SR.scan', isos);
  const home = mkdtempSync(join(tmpdir(), 'gh-ansible-'));
  try {
    const all = { ...variables, password: h.password, guest: 'played', home: hostname() };
    const vars = join(home, 'variables.json'); // a password is no argument
    writeFileSync(vars, JSON.stringify({ ...all, ansible_python_interpreter: '/usr/bin/python3' }), { mode: 0o600 });
    const env = {
      HOME: home,
      ANSIBLE_HOME: home,
      ANSIBLE_STDOUT_CALLBACK: 'json',
      ANSIBLE_LOCALHOST_WARNING: 'false',
      PYTHONPATH: fixtures,
      PYTHONDONTWRITEBYTECODE: '1',
    };
    const args = ['-i', 'localhost,', '-e', `@${vars}`, join(fixtures, 'xenserver.yml')];
    const { code, out, err } = await run('ansible-playbook', args, { env, cwd: home });
    const text = out.toString();
    assert.equal(code, 0, `${err}\n${text.slice(-3000)}`);
    const { plays } = JSON.parse(text.slice(text.indexOf('{'))) as Play;
    const tasks = plays.flatMap((p) => p.tasks);
    return (name) => {
      const found = tasks.find((t) => t.task.name === name);
      assert.ok(found, `no task ${name}`);
      return found.hosts.localhost;
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function check(of: (task: string) => Result, { template }: Variables): void {
  const changed = (...names: string[]) => names.map((n) => [n, of(n).changed]);
  const does = ['create', 'power on', 'insert a CD', 'suspend', 'resume', 'reset', 'plug a disk', 'shut down'];
  const does2 = ['reconfigure', 'make a template', 'clone', 'destroy the running clone', 'destroy the template'];
  const stays = ['create again', 'power on again', 'reconfigure again', 'destroy what is gone'];
  assert.deepEqual(
    changed(...does, ...does2),
    [...does, ...does2].map((n) => [n, true]),
  );
  assert.deepEqual(
    changed(...stays),
    stays.map((n) => [n, false]),
  );

  const made = of('look').instance;
  assert.deepEqual(
    [made.state, made.folder, made.hardware, made.cdrom, made.networks.length],
    ['poweredoff', '/tests', { memory_mb: 192, num_cpus: 2, num_cpu_cores_per_socket: 2 }, { type: 'none' }, 1],
    template,
  );
  const disks = (i: Instance) => i.disks.map((d) => [d['name'], Number(d['size']) / mib, d['sr']]);
  // The template's own disk has made room for the one asked for.
  assert.deepEqual(disks(made), [['first disk', 16, 'Local storage']]);
  assert.equal(made.networks[0]?.['mac'], '02:16:3e:00:00:17');
  assert.equal(made.networks[0]?.['name'], 'Guest network');

  assert.equal(of('suspend').instance.state, 'suspended');
  assert.equal(of('resume').instance.state, 'poweredon');
  assert.match(of('change what needs a stop').msg ?? '', /powered off state/);

  const now = of('look at the changed').instance;
  assert.equal(now.name, 'played renamed');
  assert.deepEqual(now.hardware, { memory_mb: 256, num_cpus: 1, num_cpu_cores_per_socket: 1 });
  assert.deepEqual(disks(now), [
    ['grown disk', 24, 'Local storage'],
    ['second disk', 8, 'Local storage'],
    ['played-2', 4, 'Local storage'],
  ]);
  assert.deepEqual(now.cdrom, { type: 'iso', iso_name: 'playbook.iso' });
  const [first] = now.networks;
  assert.deepEqual(
    [first?.['mac'], first?.['netmask'], first?.['gateway'], now.networks.length],
    ['02:16:3e:00:00:18', '255.255.255.0', '192.0.2.1', 2],
  );
  const { instance: clone } = of('clone');
  assert.deepEqual([clone.state, clone.is_template, clone.home_server], ['poweredon', false, hostname()]);
  assert.deepEqual(disks(clone), disks(now));
  assert.match(of('look for what is gone').msg ?? '', /not found/);
}

/** What the play made is gone, with its disks. */
async function checkGone(h: LiveHost): Promise<void> {
  assert.deepEqual(await h.call('VM.get_by_name_label', 'played renamed'), []);
  const [sr] = (await h.call('SR.get_by_name_label', 'Local storage')) as string[];
  assert.deepEqual(await h.call('SR.get_VDIs', sr), []);
}

test('ansible’s xenserver modules, over TLS, on the simulator', { skip: absent }, async () => {
  await using h = await liveHost({ hypervisor: 'simulator', tls: true });
  const variables = { url: h.tlsUrl ?? '', template: 'Other install media', answers: false };
  check(await play(h, variables), variables);
  await checkGone(h);
});

test('ansible’s xenserver modules on QEMU', { skip: absent || (cannotRun() ?? false) }, async () => {
  await using h = await liveHost();
  const variables = { url: h.url, template: 'Tiny Linux', answers: true };
  const of = await play(h, variables);
  check(of, variables);
  assert.match(of('power on').instance.networks[0]?.['ip'] ?? '', /^\d+\.\d+\.\d+\.\d+$/);
  await checkGone(h);
});
