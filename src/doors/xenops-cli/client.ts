/** xenopsd as an object to call: by the declarations that its door serves. */
import { methods } from '../xenopsd/methods.ts';
import type { ParamsOf, ResultOf, WireType } from '../xenopsd/shape.ts';
import type { MethodName } from '../xenopsd/table.ts';
import type { Task, Vm, VmState } from '../xenopsd/types.ts';

/** Sends one request's text and answers the answer's text. */
export type Transport = (text: string, signal?: AbortSignal) => Promise<string>;
type Methods = typeof methods;

/** A failure that xenopsd answered: a variant of the interface. */
export class XenopsdFailure extends Error {
  override readonly name = 'XenopsdFailure';
  readonly variant: unknown;
  constructor(variant: unknown) {
    super(sentence(variant));
    this.variant = variant;
  }
}
export interface Client {
  call<M extends MethodName>(
    method: M,
    params: ParamsOf<Methods[M]>,
    signal?: AbortSignal,
  ): Promise<ResultOf<Methods[M]>>;
  /** Waits for a task to finish and forgets it; a failed one is a `XenopsdFailure`. An aborted signal cancels it. */
  wait(task: string, o?: { progress?: (fraction: number) => void; signal?: AbortSignal }): Promise<unknown>;
  /** By uuid or name; an error when there is none or more than one. */
  find(vm: string): Promise<readonly [Vm, VmState]>;
}

/** Seconds that one question for changes waits. */
const waitS = 30;

export function xenopsdClient(send: Transport): Client {
  const call: Client['call'] = async (method, params, signal) => {
    const declared = methods[method];
    const named: Record<string, unknown> = { debug_info: 'xenops-cli' };
    for (const [key, type] of Object.entries(declared.params) as [string, WireType<unknown>][]) {
      const value = (params as Record<string, unknown>)[key];
      if (!type.bare) named[key] = type.encode(value);
      else if (value !== null) named[key] = type.bare.encode(value);
    }
    const answer = JSON.parse(await send(JSON.stringify({ method, params: [named], id: 1 }), signal)) as {
      result: unknown;
      error: unknown;
    };
    if (answer.error !== null) throw new XenopsdFailure(answer.error);
    return (declared.result as WireType<unknown>).decode(answer.result, method) as never;
  };
  const client: Client = {
    call,
    async wait(id, { progress, signal } = {}) {
      const cancel = () => void call('Task.cancel', { id }).catch(() => undefined); // it may have finished
      signal?.addEventListener('abort', cancel, { once: true });
      if (signal?.aborted) cancel();
      let last = 0;
      for (;;) {
        const task = await call('Task.stat', { id });
        if (typeof task.state === 'string' || task.state[0] !== 'Pending') {
          await call('Task.destroy', { id });
          return resultOf(task);
        }
        progress?.(task.state[1]);
        [, , last] = await call('UPDATES.get', { last_id: last, timeout: waitS });
      }
    },
    async find(wanted) {
      const all = await call('VM.list', {});
      const found = all.filter(([vm]) => vm.id === wanted.toLowerCase());
      const named = found.length > 0 ? found : all.filter(([vm]) => vm.name === wanted);
      if (named.length > 1) {
        const ids = named.map(([vm]) => vm.id).join(', ');
        throw new Error(`${named.length} VMs are called "${wanted}": ${ids}; use the uuid`);
      }
      if (!named[0]) throw new Error(`there is no VM "${wanted}"; xenops-cli list shows those that were added`);
      return named[0];
    },
  };
  return client;
}
function resultOf({ state }: Task): unknown {
  if (typeof state !== 'string' && state[0] === 'Failed') throw new XenopsdFailure(state[1]);
  return typeof state !== 'string' && state[0] === 'Completed' ? state[1].result : null;
}
/** A variant for people. */
function sentence(variant: unknown): string {
  const [name, arg] = Array.isArray(variant) ? variant : [variant, undefined];
  const args = Array.isArray(arg) ? arg.map(String) : arg === undefined || arg === null ? [] : [String(arg)];
  const [first = '', second = '', third = ''] = args;
  const sentences: Readonly<Record<string, string>> = {
    Does_not_exist: `there is no ${first} ${second}`,
    Already_exists: `there is a ${first} ${second} already`,
    Bad_power_state: `the VM is ${first}; it must be ${second}`,
    Unimplemented: `${first} is not possible here`,
    Device_is_connected: 'the device is plugged; unplug it first',
    Device_not_connected: 'the device is not plugged',
    Device_detach_rejected: `the guest keeps the device ${second}: ${third}`,
    Media_present: 'the drive is not empty; eject it first',
    Media_not_present: 'the drive is empty',
    Media_not_ejectable: 'it is no CD drive',
    Failed_to_shutdown: `the guest did not shut down within ${second} s`,
    Failed_to_acknowledge_shutdown_request: 'the guest did not react to the request',
    Cancelled: 'cancelled',
    No_bootable_device: 'there is nothing to boot from',
    Not_enough_memory: `there is not enough memory: ${first} bytes are needed`,
    Storage_backend_error: `${second}`,
    Internal_error: first,
  };
  const known = Object.hasOwn(sentences, String(name)) ? sentences[String(name)] : undefined;
  return known ?? (args.length > 0 ? `${name}: ${args.join(', ')}` : String(name));
}
