/** XenAPI class `event`. */
import { cls, field, t } from '../dsl.ts';
import * as e from '../enums.ts';

export const event = cls({
  name: 'event',
  doc: 'A change of an object that a client has asked to hear of.',
  life: 'rio',
  lifecycle: false,
  events: false,
  persistent: false,
  inDatabase: false,
  getAll: false,
  role: 'pool-admin',
  readRole: 'read-only',
  fields: {
    id: field(t.int, 'StaticRO', 'rio', 'Number of the event, increasing with each change.'),
    timestamp: field(
      t.datetime,
      'StaticRO',
      'published rio; deprecated boston',
      'When the event arose; set by event.next only.',
    ),
    class: field(t.string, 'StaticRO', 'rio', 'Name of the class of the object, in lower case.'),
    operation: field(e.event_operation, 'StaticRO', 'rio', 'Whether the object was added, modified or deleted.'),
    ref: field(t.string, 'StaticRO', 'rio', 'Reference of the object.'),
    obj_uuid: field(
      t.string,
      'StaticRO',
      'published rio; deprecated boston',
      'Former UUID of the object; take it from the snapshot.',
    ),
    snapshot: field(t.record('*'), 'DynamicRO', 'boston', 'Record of the object after the change; absent for `del`.', {
      synthetic: true,
    }),
  },
  messages: {
    register: {
      doc: 'Ask for events of these classes by event.next, `*` for all; use event.from instead.',
      params: { classes: t.set(t.string) },
      result: t.none,
      role: 'read-only',
      life: 'published rio; deprecated boston',
    },
    unregister: {
      doc: 'Stop asking for events of these classes by event.next.',
      params: { classes: t.set(t.string) },
      result: t.none,
      role: 'read-only',
      life: 'published rio; deprecated boston',
    },
    next: {
      doc: 'Wait for events of the registered classes and return them; use event.from instead.',
      params: {},
      result: t.set(t.record('event')),
      role: 'read-only',
      life: 'published rio; deprecated boston',
      errors: ['SESSION_NOT_REGISTERED', 'EVENTS_LOST', 'EVENT_SUBSCRIPTION_PARSE_FAILURE'],
      sync: true,
    },
    from: {
      doc: 'Return changes since the token, waiting up to timeout seconds; an empty token gives all objects first.',
      params: { classes: t.set(t.string), token: t.string, timeout: t.float },
      result: t.set(t.record('event')),
      role: 'read-only',
      life: 'boston',
      errors: ['EVENT_FROM_TOKEN_PARSE_FAILURE', 'EVENT_SUBSCRIPTION_PARSE_FAILURE'],
      sync: true,
    },
    get_current_id: {
      doc: 'Return the number that the next event will get.',
      params: {},
      result: t.int,
      role: 'read-only',
      life: 'rio',
      sync: true,
    },
    inject: {
      doc: 'Make a change event for the object and return a token from before it, as a barrier for clients.',
      params: { class: t.string, ref: t.string },
      result: t.string,
      role: 'read-only',
      life: 'tampa',
      sync: true,
    },
  },
});
