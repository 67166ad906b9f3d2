/**
 * One xenvm, from its arguments to its end. What the VM is doing is always asked of the domain manager; nothing is kept here.
 *
 *     arguments, file ─▶ socket taken ─▶ VM registered ─▶ started, restored or left ─▶ serving ─▶ quit, or the VM was forgotten
 *                            │                  └── refused: what was registered here is forgotten again
 *                            └── somebody serves this VM already
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import type { Log } from '../../base/log.ts';
import { isKind } from '../../contracts/contract.ts';
import type { VmEntry, Xenops } from '../../contracts/xenops.ts';
import { readStartup, readXenvm, type Startup, type XenvmConfig } from '../../wire/xenvm-config.ts';
import { restore, runCommand } from './commands.ts';
import { describe, inert } from './describe.ts';
import { getField } from './fields.ts';
import { notifier } from './notify.ts';
import { type Handle, isServed, serveCommands } from './socket.ts';
import { stateName, told, type World } from './world.ts';

/** Why there is no xenvm, with the status that the process ends with. */
export class NoMonitor extends Error {
  override readonly name = 'NoMonitor';
  readonly status: number;
  constructor(status: number, why: string, options?: ErrorOptions) {
    super(why, options);
    this.status = status;
  }
}
export const status = { served: 1, runs: 2, config: 3, refused: 4 } as const;

export interface MonitorParts extends Pick<World, 'readFile' | 'createFile' | 'removeFile'> {
  readonly xenops: Xenops;
  readonly uuid: () => string;
  /** Where interfaces are plugged that name no bridge. */
  readonly bridge: string;
  readonly socketOf: (uuid: string) => string;
  readonly warn: (line: string) => void;
  readonly log: Log;
}
export interface MonitorOptions {
  readonly file?: string;
  readonly uuid?: string;
}
export interface Monitor {
  readonly id: string;
  readonly socketPath: string;
  /** Resolves when it has ended, with why. */
  readonly ended: Promise<string>;
  /** Reads the file again, for the next start. */
  reread(): Promise<void>;
  quit(why: string): void;
}

/** Resolves when commands are served and the VM is in the state that the file asks for. NoMonitor. */
export async function openMonitor(o: MonitorOptions, p: MonitorParts): Promise<Monitor> {
  const config = o.file === undefined ? undefined : readConfig(o.file, p);
  const id = (o.uuid ?? config?.text('uuid') ?? '').toLowerCase() || (config ? p.uuid() : '');
  if (id === '') throw new NoMonitor(status.config, 'name a file, or the --uuid of a VM that is there');
  const socketPath = p.socketOf(id);
  const { capabilities } = await p.xenops.host.stat({});
  const ground = { capabilities, bridge: p.bridge };
  const known = await statOf(p.xenops, id);
  if (!config && !known) throw new NoMonitor(status.config, `there is no VM ${id}; give the file that describes it`);
  if (config && known && known.state.domid >= 0) {
    const how = `xenvm --uuid ${id} follows it as it is`;
    throw new NoMonitor(status.runs, `a domain with the uuid ${id} runs already; ${how}`);
  }
  const stop = Promise.withResolvers<string>();
  const notify = notifier(config?.text('notify') ?? (known ? getField(known.spec, 'notify') : ''), id, p.log);
  const world: World = {
    ...{ xenops: p.xenops, id, ground, file: o.file, notify },
    ...{ readFile: p.readFile, createFile: p.createFile, removeFile: p.removeFile },
    quit: () => stop.resolve('quit'),
  };
  const server = await take(socketPath, id, (name, params) => runCommand(world, name, params));
  const unfollow = follow(world, stop.resolve);
  void stop.promise.then(() => {
    unfollow();
    notify(told.hup, 'hup');
    server.close();
  });
  try {
    if (config) await begin(config, world, known, p);
  } catch (error) {
    stop.resolve('it could not begin');
    throw error;
  }
  notify(told.alive, 'ping');
  return {
    ...{ id, socketPath, ended: stop.promise },
    reread: async () => void (await runCommand(world, 'read-config', {})),
    quit: stop.resolve,
  };
}
/** The VM's socket; one that nobody answers on any more is taken over. */
async function take(path: string, id: string, handle: Handle): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return await serveCommands(path, handle);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    if (await isServed(path))
      throw new NoMonitor(status.served, `another xenvm serves ${id} on ${path}`, { cause: error });
  }
  rmSync(path, { force: true });
  return serveCommands(path, handle);
}
function readConfig(file: string, p: MonitorParts): XenvmConfig {
  try {
    const config = readXenvm(file, p.readFile(file));
    for (const line of inert(config)) p.warn(line);
    return config;
  } catch (error) {
    throw new NoMonitor(status.config, (error as Error).message, { cause: error });
  }
}
/** Undefined when nobody registered it. */
async function statOf(xenops: Xenops, id: string): Promise<VmEntry | undefined> {
  try {
    return await xenops.vm.stat({ id });
  } catch (error) {
    if (isKind(error, 'Does_not_exist')) return undefined;
    throw error;
  }
}
/** Registers the VM and brings it into the state that the file asks for. A VM that is new and refused leaves nothing. */
async function begin(config: XenvmConfig, w: World, known: VmEntry | undefined, p: MonitorParts): Promise<void> {
  let spec: VmEntry['spec'];
  try {
    spec = describe(config, w.id, w.ground, known?.spec);
  } catch (error) {
    throw new NoMonitor(status.config, (error as Error).message, { cause: error });
  }
  try {
    await w.xenops.vm.add(spec);
    await toState(readStartup(config.text('startup') || 'start'), w, known);
  } catch (error) {
    if (!known)
      await w.xenops.vm.remove({ id: w.id }).catch((e: unknown) => p.log.warn('not forgotten', { error: String(e) }));
    throw new NoMonitor(status.refused, `${spec.name}: ${(error as Error).message}`, { cause: error });
  }
}
async function toState(startup: Startup, w: World, known: VmEntry | undefined): Promise<void> {
  if (startup.do === 'restore') return restore(w, startup.file, { paused: false, remove: startup.remove });
  if (startup.do === 'shutdown') return;
  const saved = known?.state.suspendImage;
  // Starting it anew would throw away what was saved.
  if (saved)
    throw new Error(
      `it is suspended in ${saved.kind === 'path' ? saved.path : saved.vdi}; startup = restore FILE goes on`,
    );
  await w.xenops.vm.start({ id: w.id, paused: startup.do === 'paused' });
}
/** Tells of every change of the VM's state, whoever made it; ends when the VM is forgotten. */
function follow(w: World, end: (why: string) => void): () => void {
  let last = '';
  return w.xenops.watch(({ id, vm }) => {
    if (id !== w.id) return;
    if (!vm) return end('the VM was forgotten');
    const name = stateName(vm.state);
    if (name === last) return;
    if (name === 'shutdown' && vm.state.lastEnd?.reason === 'crash') w.notify(told.error, 'error:crashed');
    last = name;
    w.notify(told.state, `vm:state:${name}`);
  });
}
