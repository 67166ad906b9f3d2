/** The commands `xec` and `xec-vm`: methods and properties of services on the bus, from a shell. The first word says which. */
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { connectBus, sessionBus, systemBus } from '../bus/connection.ts';
import { BusError } from '../bus/interface.ts';
import { parseXec, parseXecVm, UsageError, type XecOptions } from '../doors/openxt/xec/options.ts';
import { runXec, usage, type XecIo } from '../doors/openxt/xec/xec.ts';
import { runXecVm, usage as usageOfVm } from '../doors/openxt/xec/xec-vm.ts';

const [command, ...argv] = process.argv.slice(2);
const help = command === 'xec-vm' ? usageOfVm : usage;
let out = '';

function addressOf(bus: XecOptions['bus']): string {
  if (typeof bus === 'object') return bus.address;
  if (bus === 'system') return systemBus(process.env);
  const address = sessionBus(process.env);
  if (address === undefined) throw new Error('there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set');
  return address;
}
async function io(options: XecOptions): Promise<XecIo> {
  const bus = await connectBus({ address: addressOf(options.bus), clock: systemClock, log: silentLog });
  return {
    call: (call) => bus.call(call),
    line: (text) => {
      out += `${text}\n`;
    },
  };
}
async function run(): Promise<void> {
  const { xec, vm } = command === 'xec-vm' ? parseXecVm(argv) : { xec: parseXec(argv), vm: undefined };
  if (xec.help) out = help;
  else if (command === 'xec-vm') await runXecVm(xec, vm, await io(xec));
  else await runXec(xec, await io(xec));
}
function said(error: unknown): string {
  if (error instanceof BusError) return `${error.errorName}: ${error.message}`;
  const why = `${command}: ${(error as Error).message}`;
  return error instanceof UsageError ? `${why}\n${help}` : why;
}

let status = 0;
try {
  await run();
} catch (error) {
  process.stderr.write(`${said(error)}\n`);
  status = 1;
}
// Standard output may be a pipe, which takes its time.
process.stdout.write(out, () => process.exit(status));
