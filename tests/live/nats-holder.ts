/** Holds a transient queue on NATS until it is killed: ADDRESS LEASE-SECONDS QUEUE. */
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { loginToNats } from '../../src/switch/nats/session.ts';
import { parseSwitchAddress } from '../../src/wire/switch-address.ts';

const [, , address = '', leaseS, queue = ''] = process.argv;
const parsed = parseSwitchAddress(address);
if (parsed.kind !== 'nats') throw new Error(`${address} is not NATS`);
const session = await loginToNats(parsed.nats, 'held', { clock: systemClock, log: silentLog, leaseS: Number(leaseS) });
await session.create(queue, 'transient');
process.stdout.write('held\n');
