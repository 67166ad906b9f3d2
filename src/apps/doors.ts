/** The doors that are HTTP handlers of the house. */
import type { Route } from '../api/routes.ts';
import type { RunningApi } from '../api/server.ts';
import type { Log } from '../base/log.ts';

type Api = Pick<RunningApi, 'call' | 'rootSession'>;

export const doorRoutes =
  (_log: Log) =>
  (_api: Api): readonly Route[] => [];
