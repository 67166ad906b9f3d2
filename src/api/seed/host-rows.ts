/** The pool, the host, its CPUs and its control domain: made on the first start, brought up to date on each. */
import { loaderNames } from '../../contracts/bootloader.ts';
import { nullRef, type Ref } from '../../datamodel/dsl.ts';
import { apiVersion, schemaVersion } from '../../datamodel/index.ts';
import type { Patch } from '../../db/db.ts';
import { wireTime } from '../wire-time.ts';
import type { SeedParts } from './parts.ts';

/** In `host.other_config` of a host that was disabled for good. */
export const disabledKey = 'guesthouse-disabled';
/** What clients take this host for when they compare versions. */
const product = { version: '8.3.0', platform: '3.4.0', xapi: '1.20' } as const;

type Ground = Awaited<ReturnType<SeedParts['xenops']['host']['stat']>>;

export async function seedHost(parts: SeedParts): Promise<{ host: Ref<'host'>; pool: Ref<'pool'> }> {
  const ground = await parts.xenops.host.stat({});
  return parts.db.write(() => {
    const host = [...parts.db.refs('host')][0] ?? makeHost(parts);
    const pool = [...parts.db.refs('pool')][0] ?? makePool(parts, host);
    describe(parts, host, ground);
    parts.db.set('pool', pool, { master: host, cpu_info: cpuInfo(parts), restrictions: {} });
    seedCpus(parts, host);
    seedControlDomain(parts, host, ground);
    return { host, pool };
  });
}

function makeHost({ db, facts }: SeedParts): Ref<'host'> {
  const metrics = db.create('host_metrics', {});
  return db.create('host', {
    name_label: facts.hostname,
    name_description: 'This machine',
    hostname: facts.hostname,
    metrics,
    enabled: true,
    edition: 'free',
    editions: ['free'],
    license_params: { sku_type: 'free', version: '', expiry: '20991231T23:59:59Z', name: '', company: '' },
    ssl_legacy: false,
    suspend_image_sr: nullRef,
    crash_dump_sr: nullRef,
  });
}

function makePool({ db }: SeedParts, master: Ref<'host'>): Ref<'pool'> {
  return db.create('pool', { master, default_SR: nullRef, suspend_image_SR: nullRef, crash_dump_SR: nullRef });
}

/** What the machine and this version decide; names and settings of users are left alone. */
function describe(parts: SeedParts, host: Ref<'host'>, ground: Ground): void {
  const { db, facts, clock } = parts;
  const before = db.get('host', host);
  const now = clock.now();
  const fields: Patch<'host'> = {
    address: parts.address,
    API_version_major: apiVersion.major,
    API_version_minor: apiVersion.minor,
    API_version_vendor: apiVersion.vendor,
    API_version_vendor_implementation: { product: 'Guesthouse', version: parts.version },
    software_version: softwareVersion(parts, ground),
    capabilities: capabilities(ground),
    supported_bootloaders: ground.capabilities.includes('bootloader') ? [...loaderNames] : [],
    cpu_info: cpuInfo(parts),
    cpu_configuration: {},
    sched_policy: ground.backend,
    bios_strings: facts.bios,
    chipset_info: { iommu: 'false' },
    timezone: facts.timezone,
    enabled: before.other_config[disabledKey] !== 'true',
    other_config: {
      ...before.other_config,
      boot_time: `${facts.bootTime}.`,
      agent_start_time: `${Math.floor(now / 1000)}.`,
    },
  };
  db.set('host', host, fields);
  db.set('host_metrics', before.metrics, {
    live: true,
    memory_total: ground.memoryTotal,
    memory_free: ground.memoryFree,
    last_updated: wireTime(now),
  });
}

function softwareVersion({ version, facts, clock }: SeedParts, ground: Ground): Readonly<Record<string, string>> {
  const date = new Date(clock.now()).toISOString().slice(0, 10);
  return {
    product_brand: 'Guesthouse',
    product_version: product.version,
    product_version_text: product.version,
    product_version_text_short: product.version.slice(0, 3),
    platform_name: 'Guesthouse',
    platform_version: product.platform,
    guesthouse: version,
    build_number: version,
    hostname: 'localhost',
    date,
    dbv: '',
    db_schema: `${schemaVersion.major}.${schemaVersion.minor}`,
    xapi: product.xapi,
    xapi_build: version,
    xen: ground.backend === 'xen' ? ground.version : '',
    hypervisor: `${ground.backend} ${ground.version}`.trim(),
    accelerator: ground.accelerator,
    linux: facts.kernel,
    network_backend: 'bridge',
  };
}

function capabilities(ground: Ground): string[] {
  const can = new Set(ground.capabilities);
  return [
    ...(can.has('pv') ? ['xen-3.0-x86_64'] : []),
    ...(can.has('hvm') ? ['hvm-3.0-x86_32', 'hvm-3.0-x86_32p', 'hvm-3.0-x86_64'] : []),
    ...(can.has('pvh') ? ['pvh-3.0-x86_64'] : []),
  ];
}

function cpuInfo({ facts: { cpu } }: SeedParts): Readonly<Record<string, string>> {
  return {
    cpu_count: String(cpu.count),
    socket_count: String(cpu.sockets),
    threads_per_core: '1',
    vendor: cpu.vendor,
    speed: String(cpu.mhz),
    modelname: cpu.model,
    family: String(cpu.family),
    model: String(cpu.modelNumber),
    stepping: cpu.stepping,
    flags: cpu.flags,
    features: '',
    features_pv: '',
    features_hvm: '',
  };
}

function seedCpus({ db, facts: { cpu } }: SeedParts, host: Ref<'host'>): void {
  const there = new Map(db.where('host_cpu', 'host', host).map((r) => [db.get('host_cpu', r).number, r]));
  for (let number = 0; number < cpu.count; number++) {
    const fields: Patch<'host_cpu'> = {
      host,
      number,
      vendor: cpu.vendor,
      speed: cpu.mhz,
      modelname: cpu.model,
      family: cpu.family,
      model: cpu.modelNumber,
      stepping: cpu.stepping,
      flags: cpu.flags,
    };
    const ref = there.get(number);
    if (ref) db.set('host_cpu', ref, fields);
    else db.create('host_cpu', fields);
    there.delete(number);
  }
  for (const ref of there.values()) db.destroy('host_cpu', ref);
}

/** The machine itself, as clients of such hosts expect to see it: a VM that always runs. */
function seedControlDomain({ db, clock }: SeedParts, host: Ref<'host'>, ground: Ground): void {
  const { control_domain, name_label, cpu_info } = db.get('host', host);
  const memory = Math.max(0, ground.memoryTotal - ground.memoryFree - ground.memoryCommitted);
  const cpus = Number(cpu_info['cpu_count']);
  const fields: Patch<'VM'> = {
    power_state: 'Running',
    resident_on: host,
    affinity: host,
    domid: 0,
    domain_type: 'pv',
    memory_target: memory,
    memory_static_max: memory,
    memory_dynamic_max: memory,
    memory_dynamic_min: memory,
    memory_static_min: memory,
    VCPUs_max: cpus,
    VCPUs_at_startup: cpus,
  };
  const there = db.has('VM', control_domain) ? control_domain : undefined;
  const vm =
    there ??
    db.create('VM', {
      name_label: `Control domain on host: ${name_label}`,
      name_description: 'The machine itself',
      is_a_template: false,
      is_control_domain: true,
      actions_after_crash: 'restart',
      actions_after_reboot: 'destroy',
      actions_after_shutdown: 'destroy',
      metrics: db.create('VM_metrics', { install_time: wireTime(clock.now()) }),
      suspend_VDI: nullRef,
    });
  db.set('VM', vm, fields);
  db.set('VM_metrics', db.get('VM', vm).metrics, { memory_actual: memory, VCPUs_number: cpus });
  db.set('host', host, { control_domain: vm });
}
