/** The same few verbs through different clients, so that one scenario runs by XML-RPC, by JSON-RPC and by `xe`. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { password, type TestHouse } from './house.ts';
import { decodeXmlRpcResponse, encodeXmlRpcCall } from './xml-client.ts';

const run = promisify(execFile);
const nullRef = 'OpaqueRef:NULL';

export interface Driver {
  readonly name: string;
  /** A new VM from a template; answers its uuid. */
  install(template: string, name: string): Promise<string>;
  power(uuid: string, verb: Verb): Promise<void>;
  /** `running`, `halted`, `paused`, `suspended`. */
  state(uuid: string): Promise<string>;
  addDisk(uuid: string, bytes: number): Promise<string>;
  addNetwork(uuid: string): Promise<string>;
  uninstall(uuid: string): Promise<void>;
  names(): Promise<string[]>;
  /** Names of the alerts about a VM. */
  alerts(uuid: string): Promise<string[]>;
  /** A call that must fail: the error's code. */
  refusal(uuid: string, verb: Verb): Promise<string>;
}
export type Verb =
  | 'start'
  | 'pause'
  | 'unpause'
  | 'suspend'
  | 'resume'
  | 'clean_shutdown'
  | 'hard_shutdown'
  | 'clean_reboot'
  | 'hard_reboot';

type CallMethod = (method: string, params: readonly unknown[]) => Promise<unknown>;
const paused: Partial<Record<Verb, readonly unknown[]>> = { start: [false, false], resume: [false, false] };

async function rpcDriver(name: string, call: CallMethod): Promise<Driver> {
  const session = (await call('session.login_with_password', ['root', password, '1.0', 'test'])) as string;
  const ask = (method: string, ...params: unknown[]) => call(method, [session, ...params]);
  const vm = (uuid: string) => ask('VM.get_by_uuid', uuid);
  const one = async (cls: string, where: string) => ((await ask(`${cls}.get_all_where`, where)) as string[])[0];
  const driver: Driver = {
    name,
    async install(template, label) {
      const found = await one('VM', `field "is_a_template" = "true" and field "name__label" = "${template}"`);
      const ref = await ask('VM.clone', found, label);
      await ask('VM.provision', ref);
      return (await ask('VM.get_uuid', ref)) as string;
    },
    async power(uuid, verb) {
      await ask(`VM.${verb}`, await vm(uuid), ...(paused[verb] ?? []));
    },
    state: async (uuid) => ((await ask('VM.get_power_state', await vm(uuid))) as string).toLowerCase(),
    async addDisk(uuid, bytes) {
      const [pool] = (await ask('pool.get_all')) as string[];
      const disk = {
        name_label: 'data',
        name_description: '',
        SR: await ask('pool.get_default_SR', pool),
        virtual_size: bytes,
        type: 'user', // …
        sharable: false,
        read_only: false,
        other_config: {},
      };
      const VDI = await ask('VDI.create', disk);
      const vbd = {
        VM: await vm(uuid),
        VDI,
        userdevice: 'autodetect',
        bootable: false,
        mode: 'RW',
        type: 'Disk',
        empty: false,
        other_config: {}, // …
        qos_algorithm_type: '',
        qos_algorithm_params: {},
      };
      return (await ask('VBD.get_uuid', await ask('VBD.create', vbd))) as string;
    },
    async addNetwork(uuid) {
      const [network] = (await ask('network.get_all')) as string[];
      const vif = {
        device: '0',
        network,
        VM: await vm(uuid),
        MAC: '',
        MTU: 1500,
        other_config: {},
        qos_algorithm_type: '',
        qos_algorithm_params: {},
      };
      return (await ask('VIF.get_uuid', await ask('VIF.create', vif))) as string;
    },
    async uninstall(uuid) {
      const ref = await vm(uuid);
      for (const vbd of (await ask('VM.get_VBDs', ref)) as string[]) {
        const vdi = (await ask('VBD.get_VDI', vbd)) as string;
        const type = await ask('VBD.get_type', vbd);
        if (vdi !== nullRef && type === 'Disk') await ask('VDI.destroy', vdi);
      }
      await ask('VM.destroy', ref);
    },
    async names() {
      const all = Object.values(
        (await ask('VM.get_all_records')) as Record<
          string,
          { is_a_template: boolean; is_control_domain: boolean; name_label: string }
        >,
      );
      return all.filter((r) => !r.is_a_template && !r.is_control_domain).map((r) => r.name_label);
    },
    async alerts(uuid) {
      const found = (await ask('message.get_all_records_where', `field "obj__uuid" = "${uuid}"`)) as object;
      return Object.values(found as Record<string, { name: string }>).map((m) => m.name);
    },
    async refusal(uuid, verb) {
      try {
        await driver.power(uuid, verb);
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      }
      return 'it was not refused';
    },
  };
  return driver;
}

class RpcFailure extends Error {
  readonly code: string;
  constructor(description: readonly string[]) {
    super(description.join(' '));
    this.code = description[0] ?? '';
  }
}

export function jsonDriver(t: TestHouse): Promise<Driver> {
  let id = 0;
  return rpcDriver('JSON-RPC', async (method, params) => {
    const body = JSON.stringify({ jsonrpc: '2.0', method, params, id: ++id });
    const response = await fetch(`${t.url}/jsonrpc`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const answer = (await response.json()) as { result?: unknown; error?: { message: string; data: string[] } };
    if (answer.error) throw new RpcFailure([answer.error.message, ...answer.error.data]);
    return answer.result;
  });
}

export function xmlDriver(t: TestHouse): Promise<Driver> {
  return rpcDriver('XML-RPC', async (method, params) => {
    const response = await fetch(`${t.url}/RPC2`, {
      method: 'POST',
      body: encodeXmlRpcCall(method, params),
      headers: { 'content-type': 'text/xml' },
    });
    const answer = decodeXmlRpcResponse(await response.text()) as {
      Status: string;
      Value: unknown;
      ErrorDescription: string[];
    };
    if (answer.Status !== 'Success') throw new RpcFailure(answer.ErrorDescription);
    return answer.Value;
  });
}

const dashed: Readonly<Record<Verb, readonly string[]>> = {
  start: ['vm-start'],
  pause: ['vm-pause'],
  unpause: ['vm-unpause'],
  suspend: ['vm-suspend'],
  resume: ['vm-resume'],
  clean_shutdown: ['vm-shutdown'],
  hard_shutdown: ['vm-shutdown', '--force'],
  clean_reboot: ['vm-reboot'],
  hard_reboot: ['vm-reboot', '--force'],
};

export async function xeDriver(t: TestHouse): Promise<Driver> {
  const xe = async (...args: string[]) => {
    const { stdout } = await run(join(import.meta.dirname, '../../bin/xe'), args, {
      env: { ...process.env, GUESTHOUSE_DATA: t.data },
    });
    return stdout.trim();
  };
  const driver: Driver = {
    name: 'xe',
    install: (template, name) => xe('vm-install', `template=${template}`, `new-name-label=${name}`),
    async power(uuid, verb) {
      await xe(...dashed[verb], `uuid=${uuid}`);
    },
    state: (uuid) => xe('vm-param-get', `uuid=${uuid}`, 'param-name=power-state'),
    async addDisk(uuid, bytes) {
      const sr = await xe('pool-list', 'params=default-SR', '--minimal');
      const vdi = await xe('vdi-create', `sr-uuid=${sr}`, 'name-label=data', `virtual-size=${bytes}`);
      return xe('vbd-create', `vm-uuid=${uuid}`, `vdi-uuid=${vdi}`, 'device=autodetect');
    },
    async addNetwork(uuid) {
      const [network = ''] = (await xe('network-list', '--minimal')).split(',');
      const there = await xe('vif-list', `vm-uuid=${uuid}`, '--minimal');
      return there === '' ? xe('vif-create', `vm-uuid=${uuid}`, `network-uuid=${network}`, 'device=0') : there;
    },
    async uninstall(uuid) {
      await xe('vm-uninstall', `uuid=${uuid}`, '--force');
    },
    names: async () =>
      (await xe('vm-list', 'is-control-domain=false', 'params=name-label', '--minimal'))
        .split(',')
        .filter((n) => n !== ''),
    alerts: async (uuid) => (await xe('message-list', `obj-uuid=${uuid}`, 'params=name', '--minimal')).split(','),
    async refusal(uuid, verb) {
      try {
        await driver.power(uuid, verb);
      } catch (error) {
        const { stderr = '' } = error as { stderr?: string };
        return /power state/i.test(stderr) ? 'VM_BAD_POWER_STATE' : stderr;
      }
      return 'it was not refused';
    },
  };
  return driver;
}
