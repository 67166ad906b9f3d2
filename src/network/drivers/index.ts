/** The kinds of network: adding one is its folder and a row here. */
import type { Driver } from '../driver.ts';
import type { Kind } from '../records.ts';
import { bridgeDriver } from './bridge/driver.ts';
import { internalDriver } from './internal/driver.ts';
import { natDriver } from './nat/driver.ts';
import { userDriver } from './user/driver.ts';

export const drivers: Readonly<Record<Kind, Driver>> = {
  nat: natDriver,
  internal: internalDriver,
  bridge: bridgeDriver,
  user: userDriver,
};
