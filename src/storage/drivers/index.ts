/** The storage drivers: adding one is its folder and a row here. */
import type { Driver } from '../driver.ts';
import { fileDriver } from './file/driver.ts';
import { isoDriver } from './iso/driver.ts';

export const drivers: Readonly<Record<string, Driver>> = { file: fileDriver, iso: isoDriver };
