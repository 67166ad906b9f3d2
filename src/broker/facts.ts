/** What rules say of VMs: their own rules in the database, their properties from the manager. */
import { ComCitrixXenclientDbClient } from '../bus/generated/db-client.ts';
import { type BusCalls, BusError, busErrors, withTimeout } from '../bus/interface.ts';

export interface VmFacts {
  /** The texts of the VM's own rules, in their order. Throws when they cannot be had. */
  rules(uuid: string): Promise<readonly string[]>;
  /** Undefined: the VM has no such property. Throws when it cannot be had. */
  property(uuid: string, name: string): Promise<string | boolean | undefined>;
}

const database = 'com.citrix.xenclient.db';
const manager = 'com.citrix.xenclient.xenmgr';
/** Answers that mean: nobody of that name is on the bus. */
const away: readonly string[] = [busErrors.serviceUnknown, busErrors.noOwner];
/** Answers that mean: it is there, and has no such thing. */
const absent: readonly string[] = [
  busErrors.unknownProperty,
  busErrors.unknownObject,
  busErrors.unknownInterface,
  busErrors.unknownMethod,
  busErrors.invalidArgs,
];
const timeoutMs = 5000;

/** Facts from OpenXT's database and manager on the bus. Without a manager there, properties are read from the database. */
export function busFacts(bus: BusCalls): VmFacts {
  const db = new ComCitrixXenclientDbClient(withTimeout(bus, timeoutMs), database, '/');
  return {
    async rules(uuid) {
      const folder = `/vm/${uuid}/rpc-firewall-rules`;
      const names = (await db.list(folder)).filter((name) => /^[0-9]{1,9}$/.test(name));
      const sorted = names.sort((a, b) => Number(a) - Number(b));
      return Promise.all(sorted.map((name) => db.read(`${folder}/${name}`)));
    },
    async property(uuid, name) {
      const found = await fromManager(bus, uuid, name);
      if (found !== 'away') return found;
      const path = `/vm/${uuid}/${name}`;
      return (await db.exists(path)) ? asValue(await db.read(path)) : undefined;
    },
  };
}
async function fromManager(bus: BusCalls, uuid: string, name: string): Promise<string | boolean | undefined | 'away'> {
  const path = `/vm/${uuid.replaceAll('-', '_')}`;
  const args = [`${manager}.vm.unrestricted`, name];
  const get = { destination: manager, path, interface: 'org.freedesktop.DBus.Properties', member: 'Get' };
  try {
    const [value] = await bus.call({ ...get, signature: 'ss', args, timeoutMs });
    return typeof value === 'string' || typeof value === 'boolean' ? value : undefined;
  } catch (error) {
    if (error instanceof BusError && away.includes(error.errorName)) return 'away';
    if (error instanceof BusError && absent.includes(error.errorName)) return undefined;
    throw error;
  }
}
const asValue = (text: string): string | boolean => (text === 'true' || text === 'false' ? text === 'true' : text);
