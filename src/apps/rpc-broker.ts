/** The command `rpc-broker`: a firewall between guests and the message bus. */
import { existsSync, readFileSync } from 'node:fs';
import { systemClock } from '../base/clock.ts';
import { startBroker } from '../broker/broker.ts';
import { explain } from '../broker/explain.ts';
import { busFacts } from '../broker/facts.ts';
import { type BrokerOptions, parseOptions, usage } from '../broker/options.ts';
import { Policy } from '../broker/policy.ts';
import { parseQuestion } from '../broker/question.ts';
import { parseRules } from '../broker/rules.ts';
import { connectBus, sessionBus, systemBus } from '../bus/connection.ts';
import { parseBusAddress } from '../wire/dbus/address.ts';
import { connectStore } from '../xenstore/client.ts';
import { stderrLog } from './stderr-log.ts';

const usualRules = ['/etc/rpc-proxy.rules', '/etc/rpc-broker.rules'];
const usualXenstore = '/run/xenstored/socket';

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options.on.help) process.stdout.write(usage);
  else if (options.on.check) return check(options.rest);
  else if (options.on.explain) tell(options);
  else await serve(options);
  return 0;
}
function check(files: readonly string[]): number {
  if (files.length === 0) throw new Error('--check needs the file to read');
  let status = 0;
  for (const file of files) {
    try {
      process.stdout.write(`${file}: ${parseRules(file, readFileSync(file, 'utf8')).length} rules\n`);
    } catch (error) {
      process.stderr.write(`${(error as Error).message}\n`);
      status = 1;
    }
  }
  return status;
}
function tell(options: BrokerOptions): void {
  const file = rulesFile(options);
  const question = parseQuestion(options.rest, parseRules(file, readFileSync(file, 'utf8')));
  for (const line of explain({ ...question, options: { strict: options.on.strict } }))
    process.stdout.write(`${line}\n`);
}
function rulesFile({ rules, on }: BrokerOptions): string {
  const found = rules ?? usualRules.find((file) => existsSync(file));
  if (found === undefined && !on['no-firewall'])
    throw new Error(`there is neither ${usualRules.join(' nor ')}; name the rules with --rules FILE`);
  return found ?? '';
}

async function serve(options: BrokerOptions): Promise<void> {
  const { on, channels } = options;
  const log = stderrLog('rpc-broker');
  const clock = systemClock;
  if (channels.length === 0)
    throw new Error('nowhere to listen: --listen-channel unix:PATH,domid=N or tcp:PORT,domid=N');
  const address = options.bus === 'session' ? sessionBus(process.env) : (options.bus ?? systemBus(process.env));
  if (address === undefined) throw new Error('there is no session bus: DBUS_SESSION_BUS_ADDRESS is not set');
  const file = rulesFile(options);
  const rules = on['no-firewall']
    ? { name: '--no-firewall', read: () => 'allow all\nallow stubdom true' }
    : { name: file, read: () => readFileSync(file, 'utf8') };
  const bus = parseBusAddress(address);
  const service = await connectBus({ address, clock, log });
  const facts = options.vmFacts && !on['no-firewall'] ? busFacts(service) : undefined;
  const policy = new Policy({ file: rules, facts, options: { strict: on.strict }, clock, log });
  if (policy.broken) throw policy.broken;
  const xenstore = options.xenstore === undefined && existsSync(usualXenstore) ? usualXenstore : options.xenstore;
  const broker = await startBroker({
    policy,
    bus,
    channels,
    service,
    store: xenstore ? await connectStore(xenstore, { reconnectMs: 60_000 }) : undefined,
    authDomid: on['auth-domid'],
    tellUuid: on.uuid,
    limits: options.limits,
    rewriting: { requestName: options.requestName, ownerName: on['owner-name'] },
    verbose: on.verbose,
    clock,
    log,
  });
  process.on('SIGHUP', () => void policy.reload());
  const lost = service.closed.then(() => 'the bus hung up');
  const told = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
  process.stdout.write(`ready ${channels.map((channel) => channel.text).join(' ')}\n`);
  const why = await Promise.race([lost, told]);
  log.info('ends', { why });
  await broker.close();
  process.exit(why.startsWith('SIG') ? 0 : 1);
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: Error) => {
    process.stderr.write(`${error.message.replace(/^(?!.*:[0-9]+:[0-9]+: )/, 'rpc-broker: ')}\n`);
    process.exit(1);
  },
);
