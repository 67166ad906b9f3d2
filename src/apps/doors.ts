/** The doors and streams that are HTTP handlers of the house. */
import type { House } from '../api/context.ts';
import { consoleRoutes } from '../api/routes/console.ts';
import { diskRoutes } from '../api/routes/disks.ts';
import { vmRoutes } from '../api/routes/vms.ts';
import type { Caller, Route } from '../api/routes.ts';
import type { RunningApi } from '../api/server.ts';
import type { ClassName } from '../datamodel/index.ts';
import { connectOver, maxBody, xeDoor } from '../doors/xe/door.ts';

/** Calls of a door, made in this process for somebody who may be anywhere: a password that is given must be right. */
const door: Caller = { local: false, address: 'local', userAgent: 'xe', gone: () => new AbortController().signal };

/** `api` may be called once the server has started. */
export function routesOf(house: House, api: Pick<RunningApi, 'call' | 'rootSession'>): readonly Route[] {
  const xe = xeDoor({
    connect: connectOver({ call: (method, params) => api.call(door, method, params) }, async () =>
      api.rootSession('xe'),
    ),
    log: house.log,
    version: house.version,
    peek: (cls: string, ref: string) =>
      house.db.find(cls as ClassName, ref) as Readonly<Record<string, unknown>> | undefined,
  });
  return [
    ...diskRoutes(house),
    ...vmRoutes(house),
    ...consoleRoutes(house),
    {
      method: 'RAW-POST',
      path: '/cli',
      bodyLimit: maxBody,
      handle: ({ socket, body, caller }) => xe.handle(socket, Buffer.alloc(0), body, caller),
    },
  ];
}
