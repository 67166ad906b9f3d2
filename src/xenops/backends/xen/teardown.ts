/** Taking all devices of a domain that is gone. */
import type { Domain } from './domain.ts';

export async function tearDownDevices(domain: Domain): Promise<void> {
  void domain;
}
