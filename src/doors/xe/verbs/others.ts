/** Consoles, waiting for events, messages, roles and sessions. */
import { events } from '../../../client/events.ts';
import { nearest, XeError } from '../arguments.ts';
import type { Command } from '../commands.ts';
import { families } from '../records/index.ts';
import { byUuid, filtered, select } from '../select.ts';
import { transferUrl } from '../transfer.ts';
import { wholeNumber } from '../values.ts';
import type { Verb } from '../verbs.ts';
import type { Work } from '../work.ts';

const console: Verb = async (work, command: Command) => {
  const [vm] = await select(work.reader, 'VM', work.request, command.optional);
  if (!vm) return;
  const name = `${vm.rec.uuid} (${vm.rec.name_label})`;
  if (vm.rec.power_state !== 'Running')
    throw new XeError(`${name} is ${String(vm.rec.power_state).toLowerCase()}; only a running VM has a console`);
  const consoles = await Promise.all(
    (vm.rec.consoles as readonly string[]).map(async (ref) => ({ ref, rec: await work.reader.get('console', ref) })),
  );
  const text = consoles.find(({ rec }) => rec?.protocol === 'vt100');
  if (!text)
    throw new XeError(
      `${name} has no text console; it has: ${consoles.map((c) => c.rec?.protocol).join(', ') || 'none'}`,
    );
  const url = transferUrl('/console', { ref: text.ref, session_id: work.client.$.session });
  const well = await work.screen.transfer({ do: 'httpConnect', url });
  if (!well) throw new XeError(`The console of ${name} could not be opened`);
};

/** `FIELD=VALUE` waits for a value, `FIELD=/=VALUE` for any other. */
const eventWait: Verb = async (work) => {
  const { params } = work.request;
  const asked = params.need('class').toLowerCase();
  const family = families.find((f) => f.prefix === asked) ?? families.find((f) => f.record.cls.toLowerCase() === asked);
  if (!family) {
    const near = nearest(
      asked,
      families.map((f) => f.prefix),
    );
    throw new XeError(
      `There is no class ${JSON.stringify(asked)}${near.length > 0 ? `; did you mean ${near.join(', ')}?` : ''}`,
    );
  }
  const { record } = family;
  const wanted = params.without('class').plain;
  const is = wanted.filter(([, v]) => !v.startsWith('/='));
  const isNot = wanted.filter(([, v]) => v.startsWith('/=')).map(([k, v]): [string, string] => [k, v.slice(2)]);
  for await (const batch of events(work.client, [record.cls], { signal: work.gone })) {
    for (const event of batch.events) {
      if (!event.snapshot || event.class.toLowerCase() !== record.cls.toLowerCase()) continue;
      // what the record refers to may have changed too
      work.reader.forget();
      const item = { ref: event.ref, rec: event.snapshot };
      const fits = (await filtered(work.reader, record, [item], is)).length > 0;
      const excluded = await Promise.all(
        isNot.map(async (f) => (await filtered(work.reader, record, [item], [f])).length > 0),
      );
      if (fits && !excluded.includes(true)) return;
    }
  }
};

const messageCreate: Verb = async (work) => {
  const { params } = work.request;
  const about = (['VM', 'Host', 'SR', 'Pool'] as const).find((cls) => params.has(`${cls.toLowerCase()}-uuid`));
  if (!about) throw new XeError('Say what the message is about: vm-uuid=, host-uuid=, sr-uuid= or pool-uuid=');
  await work.client.message.create({
    name: params.need('name'),
    priority: wholeNumber('priority', params.need('priority')),
    cls: about,
    obj_uuid: params.get(`${about.toLowerCase()}-uuid`) ?? '',
    body: params.need('body'),
  });
};
const messageDestroy: Verb = async (work) => {
  const { params } = work.request;
  const uuids = (params.get('uuids') ?? params.need('uuid')).split(',').filter((u) => u !== '');
  for (const uuid of uuids) await work.run('message.destroy', { self: await byUuid(work.reader, 'message', uuid) });
};
const messageDestroyAll: Verb = async (work) => {
  const { params } = work.request;
  const filters = ['before', 'after', 'priority'].flatMap((n) => (params.has(n) ? [[n, params.get(n)]] : []));
  await work.run('message.destroy_all', { filters: Object.fromEntries(filters) });
};

async function roleOf(work: Work): Promise<string> {
  const { params } = work.request;
  const uuid = params.get('role-uuid');
  if (uuid !== undefined) return byUuid(work.reader, 'role', uuid);
  const name = params.need('role-name');
  const roles = [...(await work.reader.all('role'))];
  const found = roles.find(([, role]) => role.name_label === name);
  if (found) return found[0];
  const near = nearest(
    name,
    roles.map(([, role]) => String(role.name_label)),
  );
  throw new XeError(
    `There is no role ${JSON.stringify(name)}${near.length > 0 ? `; did you mean ${near.join(', ')}?` : ''}`,
  );
}
const subjectRole =
  (method: string): Verb =>
  async (work) => {
    const self = await byUuid(work.reader, 'subject', work.request.params.need('uuid'));
    await work.run(method, { self, role: await roleOf(work) });
  };
const logoutAll: Verb = async (work) => {
  const subjects = (await work.client.$.call('session.get_all_subject_identifiers')) as readonly string[];
  for (const subject_identifier of subjects)
    await work.client.$.call('session.logout_subject_identifier', { subject_identifier });
};

export const others: Readonly<Record<string, Verb>> = {
  console,
  'event-wait': eventWait,
  'message-create': messageCreate,
  'message-destroy': messageDestroy,
  'message-destroy-all': messageDestroyAll,
  'subject-role-add': subjectRole('subject.add_to_roles'),
  'subject-role-remove': subjectRole('subject.remove_from_roles'),
  'session-subject-identifier-logout-all': logoutAll,
};
