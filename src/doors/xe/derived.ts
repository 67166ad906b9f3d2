/** Values of records that are no plain field: `Class.row-name` to how it is computed. */
import type { Item } from './cells.ts';
import type { Reader, Rec } from './reader.ts';
import { type Cell, notInDatabase, textCell } from './table.ts';

type Derive = (reader: Reader, item: Item) => Promise<Cell>;

const setCell = (values: readonly string[]): Cell => ({ shown: values, json: values });
const mapCell = (values: ReadonlyMap<string, string>): Cell => ({ shown: values, json: Object.fromEntries(values) });
const refsOf = (rec: Rec, field: string) => (rec[field] ?? []) as readonly string[];

/** The records behind a set of references, without those that are gone. */
async function each(reader: Reader, cls: string, refs: readonly string[]): Promise<Rec[]> {
  const found: Rec[] = [];
  for (const ref of refs) {
    const rec = await reader.get(cls, ref);
    if (rec) found.push(rec);
  }
  return found;
}

/** A data source in KiB/s, from bytes per second. */
const rate =
  (cls: 'VM' | 'host', owner: string, source: (rec: Rec) => string): Derive =>
  async (reader, { rec }) => {
    const args = { data_source: source(rec), ...(cls === 'VM' ? { self: rec[owner] } : { host: rec[owner] }) };
    const bytes = Number(await reader.caller.call(`${cls}.query_data_source`, args));
    return { shown: (bytes / 1024).toFixed(3), json: bytes / 1024 };
  };

/** A field that all hosts should agree on: their value, or `mixed`. */
const ofHosts =
  (field: string): Derive =>
  async (reader) => {
    const values = new Set([...(await reader.all('host')).values()].map((h) => String(h[field])));
    return textCell(values.size === 1 ? [...values].join() : values.size === 0 ? '' : 'mixed');
  };

const names =
  (...fields: readonly string[]): Derive =>
  async (reader, { rec }) => {
    const variants = await each(reader, 'Driver_variant', refsOf(rec, 'variants'));
    return mapCell(new Map(variants.map((v) => [String(v.name), fields.map((f) => String(v[f])).join(' ')])));
  };
const variantName =
  (field: string): Derive =>
  async (reader, { rec }) => {
    const variant = await reader.get('Driver_variant', String(rec[field]));
    return variant ? textCell(String(variant.name)) : notInDatabase;
  };
/** Whether the driver of a variant names it in `field`. */
const chosenBy =
  (field: string): Derive =>
  async (reader, { ref, rec }) => {
    const driver = await reader.get('Host_driver', String(rec.driver));
    const chosen = driver?.[field] === ref;
    return { shown: String(chosen), json: chosen };
  };
const pciIds =
  (refs: (reader: Reader, rec: Rec) => Promise<readonly string[]>): Derive =>
  async (reader, { rec }) =>
    setCell((await each(reader, 'PCI', await refs(reader, rec))).map((p) => String(p.pci_id)));

/** The host that an SR is attached to. */
const srHost: Derive = async (reader, { rec }) => {
  const pbds = await each(reader, 'PBD', refsOf(rec, 'PBDs'));
  if (pbds.length > 1) return textCell('<shared>');
  const host = pbds[0] && (await reader.get('host', String(pbds[0].host)));
  return host ? textCell(String(host.name_label)) : notInDatabase;
};

export const derived: Readonly<Record<string, Derive>> = {
  'SR.host': srHost,
  'VBD.vdi-name-label': async (reader, { rec }) => {
    if (rec.empty === true) return textCell('<EMPTY>');
    const vdi = await reader.get('VDI', String(rec.VDI));
    return vdi ? textCell(String(vdi.name_label)) : notInDatabase;
  },
  'VBD.attachable': async (reader, { ref }) => {
    await reader.caller.call('VBD.assert_attachable', { self: ref });
    return { shown: 'true', json: true };
  },
  'VBD.io_read_kbs': rate('VM', 'VM', (r) => `vbd_${r.device}_read`),
  'VBD.io_write_kbs': rate('VM', 'VM', (r) => `vbd_${r.device}_write`),
  'VIF.io_read_kbs': rate('VM', 'VM', (r) => `vif_${r.device}_rx`),
  'VIF.io_write_kbs': rate('VM', 'VM', (r) => `vif_${r.device}_tx`),
  'PIF.io_read_kbs': rate('host', 'host', (r) => `pif_${r.device}_rx`),
  'PIF.io_write_kbs': rate('host', 'host', (r) => `pif_${r.device}_tx`),
  'PIF.duplex': async (reader, { rec }) => {
    const metrics = await reader.get('PIF_metrics', String(rec.metrics));
    if (!metrics) return notInDatabase;
    // without a carrier there is no duplex to speak of
    return metrics.carrier === true ? { shown: String(metrics.duplex), json: metrics.duplex } : textCell('unknown');
  },
  'VM.memory-target': async (_reader, { rec }) => {
    const lives = rec.power_state === 'Running' || rec.power_state === 'Paused';
    const bytes = lives ? Number(rec.memory_target) : 0;
    return { shown: bytes.toFixed(0), json: bytes };
  },
  'VM.VCPUs-utilisation': async (reader, { ref, rec }) => {
    const load = new Map<string, string>();
    if (rec.power_state !== 'Running') return mapCell(load);
    for (let cpu = 0; cpu < Number(rec.VCPUs_at_startup); cpu++) {
      const args = { self: ref, data_source: `cpu${cpu}` };
      load.set(String(cpu), Number(await reader.caller.call('VM.query_data_source', args)).toFixed(3));
    }
    return mapCell(load);
  },
  'host_cpu.utilisation': async (reader, { rec }) => {
    const args = { host: rec.host, data_source: `cpu${rec.number}` };
    return textCell(Number(await reader.caller.call('host.query_data_source', args)).toFixed(3));
  },
  'VDI.metadata-of-pool': async (reader, { rec }) => {
    const pool = await reader.get('pool', String(rec.metadata_of_pool));
    return pool ? textCell(String(pool.uuid)) : notInDatabase;
  },
  'VTPM.secret': async () => textCell('<hidden>'),
  'VGPU_type.max-resolution': async (_, { rec }) => textCell(`${rec.max_resolution_x}x${rec.max_resolution_y}`),
  'PGPU.dependencies': pciIds(async (reader, rec) =>
    refsOf((await reader.get('PCI', String(rec.PCI))) ?? {}, 'dependencies'),
  ),
  'PCI.dependencies': pciIds(async (_, rec) => refsOf(rec, 'dependencies')),
  'subject.roles': async (reader, { rec }) =>
    setCell((await each(reader, 'role', refsOf(rec, 'roles'))).map((r) => String(r.name_label))),
  'pool.supported-sr-types': async (reader) =>
    setCell((await reader.caller.call('SR.get_supported_types')) as readonly string[]),
  'pool.https-only': ofHosts('https_only'),
  'pool.ssh-enabled': ofHosts('ssh_enabled'),
  'pool.ssh-enabled-timeout': ofHosts('ssh_enabled_timeout'),
  'pool.ssh-expiry': ofHosts('ssh_expiry'),
  'pool.console-idle-timeout': ofHosts('console_idle_timeout'),
  'pool.ssh-auto-mode': ofHosts('ssh_auto_mode'),
  'pool_patch.hosts': async (reader, { rec }) => {
    const done = await each(reader, 'host_patch', refsOf(rec, 'host_patches'));
    return setCell(
      (
        await each(
          reader,
          'host',
          done.map((p) => String(p.host)),
        )
      ).map((h) => String(h.uuid)),
    );
  },
  'Host_driver.active-variant': variantName('active_variant'),
  'Host_driver.selected-variant': variantName('selected_variant'),
  'Host_driver.variants': names('version'),
  'Host_driver.variants-dev-status': names('version', 'status'),
  'Host_driver.variants-hw-present': names('version', 'hardware_present'),
  'Host_driver.variants-uuid': names('uuid'),
  'Driver_variant.active': chosenBy('active_variant'),
  'Driver_variant.selected': chosenBy('selected_variant'),
};
