/** Methods on the host, tasks, changes and the daemon itself. */
import { readFileSync } from 'node:fs';
import type { VmSpec } from '../../../contracts/xenops.ts';
import { nameOf } from '../device.ts';
import { errorVariant, unimplemented } from '../errors.ts';
import type { CallContext, ChangedObject, TaskView } from '../parts.ts';
import { hasIommu } from '../refusals.ts';
import type { Handlers, HandlersOf } from '../table.ts';
import { type DynamicId, errorsError, type Task, type TaskState } from '../types.ts';

export const daemonHandlers: Handlers<'query' | 'get_diagnostics'> = {
  query: ({ parts }) => ({
    name: 'xenops',
    vendor: 'Guesthouse',
    version: parts.version,
    features: ['tasks', 'updates', 'barriers', 'metadata'],
    instance_id: parts.instance,
  }),
  get_diagnostics: async ({ parts }) => {
    const [host, vms, domains] = await Promise.all([
      parts.xenops.host.stat({}),
      parts.xenops.vm.list({}),
      parts.xenops.host.domains({}),
    ]);
    const tasks = parts.tasks.list();
    const shown = {
      instance: parts.instance,
      host,
      vms: vms.map(({ spec, state }) => ({ id: spec.id, name: spec.name, power: state.power, domid: state.domid })),
      domains,
      tasks: tasks.map(({ id, operation, label, state }) => ({ id, operation, label, state: state.state })),
      last_update: parts.updates.lastId,
    };
    return JSON.stringify(shown, null, 2);
  },
};

export const taskHandlers: HandlersOf<'Task'> = {
  'Task.stat': ({ parts }, { id }) => taskOf(parts.tasks.stat(id)),
  'Task.cancel': ({ parts }, { id }) => nothing(parts.tasks.cancel(id)),
  'Task.destroy': ({ parts }, { id }) => nothing(parts.tasks.destroy(id)),
  'Task.list': ({ parts }) => parts.tasks.list().map(taskOf),
  'Task.destroy_on_finish': ({ parts }, { id }) => nothing(parts.tasks.destroyOnFinish(id)),
};
const nothing = (_: unknown): null => null;
function taskOf(task: TaskView): Task {
  const state = taskStateOf(task.state);
  return {
    id: task.id,
    dbg: task.label,
    ctime: task.startedAt,
    state,
    subtasks: { [task.operation]: state },
    debug_info: { cancel_points_seen: String(task.cancelPoints) },
    backtrace: '',
    cancellable: true,
  };
}
function taskStateOf(state: TaskView['state']): TaskState {
  if (state.state === 'pending') return ['Pending', state.progress];
  if (state.state === 'failed') return ['Failed', errorsError.encode(errorVariant(state.error))];
  return ['Completed', { duration: state.durationS, result: state.result }];
}

export const hostHandlers: HandlersOf<'HOST'> = {
  'HOST.stat': async ({ parts }) => {
    const host = await parts.xenops.host.stat({});
    const cpu = cpuFacts();
    return {
      cpu_info: { ...cpu, cpu_count: host.cpus, modelname: host.cpuModel },
      hypervisor: { version: host.version, capabilities: host.capabilities.join(' ') },
      chipset_info: { iommu: host.backend !== 'simulator' && hasIommu(), hvm: host.capabilities.includes('hvm') },
    };
  },
  'HOST.get_console_data': ({ parts }) => parts.xenops.host.messages({ clear: false }),
  'HOST.get_total_memory_mib': async ({ parts }) =>
    Math.floor((await parts.xenops.host.stat({})).memoryTotal / 2 ** 20),
  'HOST.send_debug_keys': async ({ parts }, { debug_keys: keys }) => {
    await parts.xenops.host.sendDebugKeys({ keys });
    return null;
  },
  'HOST.set_worker_pool_size': async ({ parts }, { pool_size: count }) => {
    await parts.xenops.host.setWorkers({ count });
    return null;
  },
  'HOST.update_guest_agent_features': (_, { features }) => {
    if (features.length > 0) throw unimplemented('HOST.update_guest_agent_features');
    return null;
  },
  'HOST.combine_cpu_policies': (_, { policy1, policy2 }) => combine(policy1, policy2),
  'HOST.is_compatible': (_, { vm_policy, host_policy }) => combine(vm_policy, host_policy) === canonical(vm_policy),
  'HOST.set_numa_affinity_policy': (_, { numa_affinity_policy: policy }) => {
    if (policy !== null && policy !== 'Any') throw unimplemented('HOST.set_numa_affinity_policy');
    return null;
  },
};
/** Words of a CPU's features in hexadecimal, joined by `-`; a word that is missing is 0. */
const words = (policy: string): number[] => policy.split('-').map((word) => Number.parseInt(word, 16) >>> 0 || 0);
function combine(a: string, b: string): string {
  const [left, right] = [words(a), words(b)];
  return left.map((word, i) => ((word & (right[i] ?? 0)) >>> 0).toString(16).padStart(8, '0')).join('-');
}
const canonical = (policy: string): string => combine(policy, policy);

/** What the kernel says of the first processor. */
function cpuFacts() {
  const text = readFileSync('/proc/cpuinfo', 'utf8');
  const fact = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const distinct = (name: string) => new Set(text.match(new RegExp(`^${name}\\s*: .*$`, 'gm')) ?? ['']).size;
  return {
    socket_count: distinct('physical id'),
    threads_per_core: Math.max(1, Math.floor(Number(fact('siblings')) / (Number(fact('cpu cores')) || 1)) || 1),
    nr_nodes: 1,
    vendor: fact('vendor_id'),
    speed: fact('cpu MHz'),
    family: fact('cpu family'),
    model: fact('model'),
    stepping: fact('stepping'),
    flags: fact('flags'),
    ...{ features: '', features_pv: '', features_hvm: '', features_pv_host: '', features_hvm_host: '' },
  };
}

export const updateHandlers: HandlersOf<'UPDATES'> = {
  'UPDATES.get': async (c, { last_id, timeout }) => {
    const page = await c.parts.updates.get(last_id ?? 0, timeout ?? undefined, c.signal);
    const specs = await specsFor(c, [page.changed, ...page.barriers.map((b) => b.changed)].flat());
    const ids = (list: readonly ChangedObject[]) => list.flatMap((o) => dynamicId(o, specs));
    const barriers = page.barriers.map((b) => [b.id, ids(b.changed)] as const);
    return [barriers, ids(page.changed), page.last];
  },
  'UPDATES.last_id': ({ parts }) => parts.updates.lastId,
  'UPDATES.inject_barrier': ({ parts }, { vm_id, id }) => nothing(parts.updates.injectBarrier(vm_id, id)),
  'UPDATES.remove_barrier': ({ parts }, { id }) => nothing(parts.updates.removeBarrier(id)),
  'UPDATES.refresh_vm': async ({ parts }, { id }) => {
    await parts.xenops.vm.stat({ id });
    parts.updates.refresh(id);
    return null;
  },
};
/** Devices are told by their names, which their descriptions know. */
async function specsFor({ parts }: CallContext, objects: readonly ChangedObject[]): Promise<Map<string, VmSpec>> {
  if (!objects.some(({ kind }) => kind === 'vbd' || kind === 'vif')) return new Map();
  return new Map((await parts.xenops.vm.list({})).map(({ spec }) => [spec.id, spec]));
}
const tags = { pci: 'Pci', vgpu: 'Vgpu', vusb: 'Vusb' } as const;
function dynamicId({ kind, vm, id }: ChangedObject, specs: ReadonlyMap<string, VmSpec>): DynamicId[] {
  if (kind === 'vm') return [['Vm', vm]];
  if (kind === 'task') return [['Task', id]];
  if (kind !== 'vbd' && kind !== 'vif') return [[tags[kind], [vm, id]]];
  // Removed in the meantime: nothing says so here.
  const device = specs.get(vm)?.[kind === 'vbd' ? 'vbds' : 'vifs'].find((d) => d.id === id);
  return device ? [[kind === 'vbd' ? 'Vbd' : 'Vif', [vm, nameOf(kind, device)]]] : [];
}

export const debugHandlers: HandlersOf<'DEBUG'> = {
  'DEBUG.trigger': async ({ parts }, { cmd, args }) => {
    const [first = '', second = ''] = args;
    const ends = { reboot: 'reboot', halt: 'poweroff' } as const;
    if (cmd === 'set-cancel-trigger') parts.tasks.cancelAt(first, Number(second));
    else if (cmd === 'reboot' || cmd === 'halt') await parts.xenops.vm.endGuest({ id: first, how: ends[cmd] });
    else throw unimplemented(`DEBUG.trigger ${cmd}`);
    return null;
  },
  'DEBUG.shutdown': ({ parts }) => {
    // The answer goes out first.
    parts.clock.after(10, parts.shutdown);
    return null;
  },
};

/** Traces are not collected: being told how to is no error. */
const heard = () => null;
export const observerHandlers: HandlersOf<'Observer'> = {
  'Observer.create': heard,
  'Observer.destroy': heard,
  'Observer.set_enabled': heard,
  'Observer.set_attributes': heard,
  'Observer.set_endpoints': heard,
  'Observer.init': heard,
  'Observer.set_trace_log_dir': heard,
  'Observer.set_export_interval': heard,
  'Observer.set_export_chunk_size': heard,
  'Observer.set_max_spans': heard,
  'Observer.set_max_traces': heard,
  'Observer.set_max_depth': heard,
  'Observer.set_max_file_size': heard,
  'Observer.set_host_id': heard,
  'Observer.set_compress_tracing_files': heard,
};
