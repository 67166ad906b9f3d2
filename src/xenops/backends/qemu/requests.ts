/** What a running guest, or its machine, is asked to do. */
import { bestEffort } from '../../../base/best-effort.ts';
import type { Call } from '../../../contracts/contract.ts';
import { xenopsErrors } from '../../../contracts/xenops.ts';
import type { Domain } from './domain.ts';
import { type Json, QmpError, QmpTimeout } from './qmp.ts';

/** First the guest's agent, when there is one; then, and when it is asked again, ACPI's power button; a guest that reboots is one that powers off and is started again by the caller. */
export async function requestShutdown(domain: Domain, what: 'poweroff' | 'reboot'): Promise<void> {
  if (domain.power !== 'running')
    throw xenopsErrors.make('Failed_to_acknowledge_shutdown_request', { vm: domain.vm, what });
  const rebooting = what === 'reboot';
  if ((domain.record.rebooting ?? false) !== rebooting) await domain.update({ rebooting });
  if (domain.agent?.firstRequest(what) && (await domain.agent.requestEnd(what))) return;
  // A QEMU that runs answers this at once; one that does not will not let its guest hear of it.
  await domain.execute('system_powerdown', undefined, domain.needs.patience.askMs).catch((cause: unknown) => {
    if (!(cause instanceof QmpTimeout)) throw cause;
    throw xenopsErrors.make('Failed_to_acknowledge_shutdown_request', { vm: domain.vm, what, silent: true }, { cause });
  });
}

/** Failed_to_freeze. */
export async function freezeGuest(domain: Domain, call: Call): Promise<void> {
  const { vm, agent, power } = domain;
  if (power !== 'running' || !agent)
    throw xenopsErrors.make('Failed_to_freeze', { vm, reason: 'it does not run, or has no port for an agent' });
  await agent.freeze(call);
}
export const thawGuest = async (domain: Domain): Promise<void> => domain.agent?.thaw();

/** The balloon: QEMU remembers the target until the guest's driver is there. */
export async function applyBalloon(domain: Domain, bytes: number): Promise<void> {
  await domain.execute('balloon', { value: bytes });
  await domain.update({ memoryTarget: bytes });
}
export async function setMemoryTarget(domain: Domain, bytes: number): Promise<void> {
  const { staticMax } = domain.record.spec.memory;
  if (bytes > staticMax || bytes < 1 << 20)
    throw xenopsErrors.make('Bad_spec', {
      key: 'memory target',
      reason: `${bytes} bytes are not between ${1 << 20} and the static maximum of ${staticMax}`,
    });
  if (domain.record.memoryTarget === bytes) return;
  await applyBalloon(domain, bytes);
  domain.changed();
}

interface CpuPlace {
  readonly type: string;
  readonly props: Readonly<Record<string, number>>;
  readonly 'qom-path'?: string;
}
/** Where CPUs are and could be, in the order in which they are plugged. */
async function cpuPlaces(domain: Domain): Promise<CpuPlace[]> {
  const places = (await domain.execute('query-hotpluggable-cpus')) as CpuPlace[];
  const rank = ({ props }: CpuPlace) =>
    ['socket-id', 'die-id', 'core-id', 'thread-id'].reduce((n, key) => n * 1024 + (props[key] ?? 0), 0);
  return places.sort((a, b) => rank(a) - rank(b));
}
export async function setVcpus(domain: Domain, count: number): Promise<void> {
  const { max } = domain.record.spec.vcpus;
  if (count < 1 || count > max) throw xenopsErrors.make('Invalid_vcpus', { count, max });
  if (count === domain.record.vcpus) return;
  if (!domain.built) return domain.update({ vcpus: count });
  if (domain.record.machine.type === 'microvm')
    throw xenopsErrors.make('Unimplemented', { function: 'changing the CPUs of a microvm', backend: 'qemu' });
  const places = await cpuPlaces(domain);
  const present = places.filter((p) => p['qom-path'] !== undefined);
  // QEMU's emulator frees a CPU that others still look at, and dies of it at the next plug: there the guest lets go of it only.
  const stay = domain.record.machine.accelerator === 'tcg';
  if (count < domain.record.vcpus && stay) await leaveVcpus(domain, count);
  for (const place of places.filter((p) => p['qom-path'] === undefined).slice(0, Math.max(0, count - present.length)))
    await domain.execute('device_add', { driver: place.type, ...place.props });
  if (!stay) for (const place of present.slice(count).reverse()) await unplugCpu(domain, place);
  await domain.update({ vcpus: count, vcpusPlugged: stay ? Math.max(count, present.length) : count });
  await bestEffort('the guest may have to turn its processors on itself', domain.needs.log, () =>
    domain.agent?.useVcpus(count),
  );
  domain.changed();
}
/** Has the guest stop using the processors beyond these. */
async function leaveVcpus(domain: Domain, count: number): Promise<void> {
  if (await domain.agent?.useVcpus(count)) return;
  throw xenopsErrors.make('Unimplemented', {
    function: 'taking virtual CPUs away from a running guest without an agent',
    backend: 'qemu without KVM',
  });
}
async function unplugCpu(domain: Domain, place: CpuPlace): Promise<void> {
  const path = place['qom-path'] ?? '';
  // Of a CPU only its interrupt controller's end is told.
  const isIt = (data: Json) => `${String(data['path'])}/`.startsWith(`${path}/`);
  await unplug(domain, path, isIt, `CPU ${JSON.stringify(place.props)}`);
}

/**
 * `device_del`, then the guest's consent. Throws Device_detach_rejected when it does not come, or is refused.
 * `isIt` recognises the device in QEMU's events.
 */
export async function unplug(
  domain: Domain,
  id: string,
  isIt: (data: Json) => boolean,
  name: string,
  hasty = false,
): Promise<void> {
  const { clock, patience } = domain.needs;
  const patienceMs = hasty ? patience.forcedUnplugMs : patience.unplugMs;
  const rejected = (reason: string) => xenopsErrors.make('Device_detach_rejected', { id: name, reason });
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => undefined); // it may fail before anybody waits
  const deaf = domain.listen(({ event, data }) => {
    if (event === 'DEVICE_DELETED' && isIt(data)) done.resolve();
    if ((event === 'DEVICE_UNPLUG_GUEST_ERROR' || event === 'ACPI_DEVICE_OST') && isIt(data) && refusal(event, data))
      done.reject(rejected('the guest refused'));
  });
  const late = () => done.reject(rejected(`it did not let go within ${patienceMs / 1000} s`));
  const cancel = clock.after(patienceMs, late);
  try {
    await domain.execute('device_del', { id }).catch((error: unknown) => {
      if (error instanceof QmpError && error.class === 'DeviceNotFound') done.resolve();
      // Asked before and still thinking: this waits for the same answer.
      else if (!(error instanceof QmpError && /already in the process of unplug/.test(error.message))) throw error;
    });
    await done.promise;
  } finally {
    cancel();
    deaf();
  }
}
function refusal(event: string, data: Readonly<Record<string, unknown>>): boolean {
  if (event === 'DEVICE_UNPLUG_GUEST_ERROR') return true;
  const info = data['info'] as { source?: number; status?: number } | undefined;
  // ACPI: an ejection request (3) that was answered with anything but success or "going on".
  return info?.source === 3 && info.status !== 0 && info.status !== 0x84;
}

/** Alt-SysRq and a letter on the keyboard, or a non-maskable interrupt. */
export async function sendKeys(domain: Domain, kind: 'sysrq' | 'trigger', value: string): Promise<void> {
  if (kind === 'trigger') {
    if (value !== 'nmi')
      throw xenopsErrors.make('Unimplemented', {
        function: `the trigger "${value}" (there is "nmi")`,
        backend: 'qemu',
      });
    await domain.execute('inject-nmi');
    return;
  }
  if (!/^[a-z0-9]$/.test(value))
    throw xenopsErrors.make('Bad_spec', { key: 'sysrq', reason: `"${value}" is not one letter or digit` });
  if (domain.record.machine.type === 'microvm')
    throw xenopsErrors.make('Unimplemented', {
      function: 'SysRq on a microvm, which has no keyboard',
      backend: 'qemu',
    });
  const key = (data: string) => ({ type: 'qcode', data });
  await domain.execute('send-key', { keys: [key('alt'), key('sysrq'), key(value)] });
}

/** The sleep key of the keyboard, which desktops and logind listen to. Failed_to_suspend when the guest stays awake. */
export async function sleepGuest(domain: Domain, call: Call): Promise<void> {
  const { vm, needs } = domain;
  if (domain.record.machine.type === 'microvm')
    throw xenopsErrors.make('Unimplemented', { function: 'sleep on a microvm, which has no ACPI', backend: 'qemu' });
  if (await sleeps(domain)) return;
  const asleep = Promise.withResolvers<void>();
  asleep.promise.catch(() => undefined); // it may fail before anybody waits
  const seconds = needs.patience.sleepMs / 1000;
  const reason = `it did not go to sleep within ${seconds} s after its sleep key was pressed`;
  const late = () => asleep.reject(xenopsErrors.make('Failed_to_suspend', { vm, reason, timeoutS: seconds }));
  const stop = () => asleep.reject(call.signal?.reason);
  const deaf = domain.listen(({ event }) => event === 'SUSPEND' && asleep.resolve());
  const cancel = needs.clock.after(needs.patience.sleepMs, late);
  call.signal?.addEventListener('abort', stop, { once: true });
  try {
    await domain.execute('send-key', { keys: [{ type: 'qcode', data: 'sleep' }] });
    await asleep.promise;
  } finally {
    cancel();
    deaf();
    call.signal?.removeEventListener('abort', stop);
  }
}
export async function wakeGuest(domain: Domain): Promise<void> {
  if (await sleeps(domain)) await domain.execute('system_wakeup');
}
async function sleeps(domain: Domain): Promise<boolean> {
  return ((await domain.execute('query-status')) as { status: string }).status === 'suspended';
}
/** A machine that is reset has rebooted: each run of a guest has a QEMU of its own. */
export async function endGuest(domain: Domain, how: 'poweroff' | 'reboot'): Promise<void> {
  if (how === 'poweroff')
    throw xenopsErrors.make('Unimplemented', { function: 'a guest that powers off as if by itself', backend: 'qemu' });
  await domain.execute('system_reset');
}
