/** `xc_dom_control`: what is done with domains that are there. One row per command. */
import { isKind } from '../../contracts/contract.ts';
import type { VmEntry } from '../../contracts/xenops.ts';
import { findVbd, nameOf } from '../xenopsd/device.ts';
import { askToEnd, creditOf, freePosition, pin, savedTo, saveTo, setCredit, trafficOf } from './acts.ts';
import { driveAs, mediaOf } from './describe.ts';
import { deviceNumber } from './device-numbers.ts';
import { domains, NoSuchDomain, untilGone, vmOf } from './domains.ts';
import type { Tools } from './io.ts';

const usage = `Usage: xc_dom_control COMMAND ...
  list                               every domain
  listvbds                           the block devices of every domain
  stop DOM, start DOM                pause it, let it go on
  shutdown DOM|all [-w]              ask for a clean shutdown; -w: wait until it is gone
  destroy DOM                        end it at once
  suspend DOM FILE, save DOM FILE    write its state to a new file, and end it (xc_dom_create -L FILE goes on with it)
  restore FILE                       go on with a saved domain
  unwatch DOM                        do not start it again when it ends
  vbd_add DOM UNAME DEV MODE         a further block device
  vbd_remove DOM DEV
  vif_stats DOM VIF, vif_addip DOM VIF IP, vif_setsched DOM VIF BYTES USECS, vif_getsched DOM VIF
  pincpu DOM CPU                     on one processor from its next start on; -1: on any
  cpu_bvtset DOM MCUADV WARP WARPL WARPU, cpu_bvtslice SLICE
`;
const mib = 1 << 20;
/** Seconds that a guest gets when it is asked to shut down. */
const shutdownS = 300;

interface Row {
  /** How many arguments it needs. */
  readonly needs: number;
  /** Answers its result, which is printed as the last line; undefined: none. */
  readonly run: (t: Tools, args: readonly string[]) => Promise<number | undefined>;
}

/** Answers the exit status. */
export async function domControl(args: readonly string[], t: Tools): Promise<number> {
  const [name = '', ...rest] = args;
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (!row || rest.length < row.needs) {
    t.err(row ? `xc_dom_control: ${name} needs ${row.needs} arguments\n${usage}` : usage);
    return 255;
  }
  let result: number | undefined;
  try {
    result = await row.run(t, rest);
  } catch (error) {
    t.err(`xc_dom_control: ${(error as Error).message}\n`);
    result = -1;
  }
  if (result !== undefined) t.out(`return code ${result}\n`);
  return result === undefined || result === 0 ? 0 : 1;
}

/** A row about one domain, its number first. */
const onDomain = (
  needs: number,
  f: (t: Tools, vm: VmEntry, rest: readonly string[]) => Promise<number | undefined>,
): Row => ({
  needs,
  run: async (t, [dom = '', ...rest]) => f(t, await vmOf(t.xenops, number('the domain', dom)), rest),
});
const notHere = (what: string): Row => ({
  needs: 0,
  run: async (t) => {
    t.err(`xc_dom_control: ${what}\n`);
    return -1;
  },
});
function number(what: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new NoSuchDomain(-1, `${what} must be a number, not "${text}"`);
  return Number(text);
}

const rows: Readonly<Record<string, Row>> = {
  list: {
    needs: 0,
    async run(t) {
      t.out('Dom  Name             Mem(kb)  CPU  State  Time(s)\n');
      for (const d of await domains(t.xenops)) {
        const state = `${d.running ? 'r' : '-'}${d.stopped ? 's' : '-'}`;
        const cells = [
          String(d.dom).padEnd(4),
          d.name.padEnd(16),
          String(d.mem_kb).padStart(7),
          String(d.cpu).padStart(3),
          state.padStart(5),
          String(Math.floor(d.cpu_time / 1e9)).padStart(8),
        ];
        t.out(`${cells.join(' ')}\n`);
      }
      return undefined;
    },
  },
  listvbds: {
    needs: 0,
    async run(t) {
      t.out('Dom   Dev   Perm   Size(MB)\n');
      for (const { spec, state } of await t.xenops.vm.list({})) {
        if (state.domid < 0) continue;
        for (const vbd of spec.vbds.filter((v) => state.vbds[v.id]?.plugged)) {
          const device = (deviceNumber(nameOf('vbd', vbd)) ?? 0).toString(16).padStart(4, '0');
          const size = Math.floor(((vbd.media && (await t.sizeOf(vbd.media))) ?? 0) / mib);
          t.out(`${String(state.domid).padEnd(4)}  ${device}  ${vbd.mode === 'RO' ? 'r' : 'w'}      ${size}\n`);
        }
      }
      return undefined;
    },
  },
  stop: onDomain(1, async (t, { spec }) => {
    await t.xenops.vm.pause({ id: spec.id });
    return 0;
  }),
  start: onDomain(1, async (t, { spec }) => {
    await t.xenops.vm.unpause({ id: spec.id });
    return 0;
  }),
  shutdown: { needs: 1, run: shutdown },
  destroy: onDomain(1, async (t, { spec }) => {
    await t.xenops.vm.shutdown({ id: spec.id, timeoutS: null });
    return 0;
  }),
  suspend: onDomain(2, save),
  save: onDomain(2, save),
  restore: {
    needs: 1,
    async run(t, [file = '']) {
      const { spec } = await savedTo(t.xenops, file);
      await t.xenops.vm.resume({ id: spec.id, paused: false });
      return 0;
    },
  },
  unwatch: onDomain(1, async (t, { spec }) => {
    await t.xenops.vm.add({ ...spec, onPoweroff: 'destroy', onCrash: 'destroy' });
    return 0;
  }),
  vbd_add: onDomain(4, addDisk),
  vbd_remove: onDomain(2, async (t, { spec }, [dev = '']) => {
    try {
      const { id } = findVbd(spec, dev);
      await t.xenops.vbd.unplug({ vm: spec.id, id, force: false });
      await t.xenops.vbd.remove({ vm: spec.id, id });
    } catch (error) {
      t.err(`${(error as Error).message}\n`);
      t.out('Failed\n');
      return -1;
    }
    t.out(`Removed disk/partition attached as device ${dev}\n`);
    return undefined;
  }),
  vif_setsched: onDomain(4, async (t, { spec }, [vif = '', bytes = '', usecs = '']) => {
    await setCredit(t.xenops, spec, {
      vif: number('the interface', vif),
      bytes: number('the bytes', bytes),
      usecs: number('the microseconds', usecs),
    });
    return 0;
  }),
  vif_getsched: onDomain(2, async (t, { spec }, [vif = '']) => {
    const { credit_bytes, credit_usecs } = creditOf(spec, number('the interface', vif));
    t.out(`{'credit_bytes': ${credit_bytes}, 'credit_usecs': ${credit_usecs}}\n`);
    return undefined;
  }),
  vif_addip: notHere('guests are on a bridge; an address of theirs needs no rule in the host'),
  vif_stats: onDomain(2, async (t, { spec }, [vif = '']) => {
    const stats = await trafficOf(t.xenops, spec, number('the interface', vif));
    const shown = Object.entries(stats).map(([key, value]) => `'${key}': ${value}`);
    t.out(`{${shown.join(', ')}}\n`);
    return undefined;
  }),
  pincpu: onDomain(2, async (t, { spec }, [cpu = '']) => {
    await pin(t.xenops, spec, cpu === '-1' ? undefined : number('the processor', cpu));
    t.out(`Domain ${spec.name} has this from its next start on\n`);
    return 0;
  }),
  cpu_bvtset: notHere('this hypervisor has no BVT scheduler; weight and cap are settings of the VM (VCPUs_params)'),
  cpu_bvtslice: notHere('this hypervisor has no BVT scheduler'),
};

async function shutdown(t: Tools, [which = '', wait]: readonly string[]): Promise<number> {
  const ours = (await domains(t.xenops)).filter((d) => d.vm !== undefined && d.dom !== 0);
  const dom = which === 'all' ? undefined : number('the domain', which);
  if (dom !== undefined) await vmOf(t.xenops, dom);
  const asked = ours.filter((d) => dom === undefined || d.dom === dom);
  const ends = asked.map(async (d) => {
    const id = d.vm as string;
    if (wait === '-w') {
      await Promise.race([t.xenops.vm.shutdown({ id, timeoutS: shutdownS }), untilGone(t.xenops, id, d.dom, t.signal)]);
      return;
    }
    await askToEnd(t.xenops, id);
  });
  const failed = (await Promise.allSettled(ends)).filter((e) => e.status === 'rejected');
  for (const { reason } of failed) t.err(`${(reason as Error).message}\n`);
  return failed.length === 0 ? 0 : -1;
}
async function save(t: Tools, { spec }: VmEntry, [file = '']: readonly string[]): Promise<number> {
  await saveTo(t, spec.id, file);
  return 0;
}
async function addDisk(
  t: Tools,
  { spec }: VmEntry,
  [uname = '', dev = '', mode = '']: readonly string[],
): Promise<number | undefined> {
  if (!['r', 'w', 'rw'].includes(mode)) throw new Error(`the mode must be r, w or rw, not "${mode}"`);
  const media = await mediaOf(uname, t);
  const vbd = driveAs(spec.id, { dev, position: freePosition(spec), mode, media });
  await t.xenops.vbd.add({ vm: spec.id, vbd });
  try {
    await t.xenops.vbd.plug({ vm: spec.id, id: vbd.id });
  } catch (error) {
    await t.xenops.vbd.remove({ vm: spec.id, id: vbd.id }).catch(() => undefined); // what went wrong is told
    if (!isKind(error, 'Storage_error')) throw error;
    t.out('That mapping is too unsafe for the current VBD expertise level\n');
    return -1;
  }
  t.out(`Added disk/partition ${uname} to domain ${spec.name} as device ${dev}\n`);
  return undefined;
}
