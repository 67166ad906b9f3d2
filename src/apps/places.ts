/** Where a host keeps what: every path below its data folder that more than one process needs. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export type Places = ReturnType<typeof places>;

/** The paths of the host whose state is in `folder`. */
export function places(folder: string) {
  const data = resolve(folder);
  const run = join(data, 'run');
  return {
    data,
    /** Sockets and records of running processes: worthless after a reboot. */
    run,
    /** The contract `processes`. */
    supervisorSocket: join(run, 'supervisor.sock'),
    supervisorLock: join(run, 'supervisor.lock'),
    processes: join(run, 'processes'),
    /** The contract `house`. */
    houseSocket: join(run, 'house.sock'),
    /** The contract `xenops`: the domain manager, for the doors that are commands. */
    xenopsSocket: join(run, 'xenops.sock'),
    /** XenAPI without a password, for root and the owner. */
    xapiSocket: join(run, 'xapi.sock'),
    /** The interface of xenopsd, for xenops-cli. */
    xenopsdSocket: join(run, 'xenopsd.sock'),
    /** The contracts `network` and `storage`, where those rooms are processes of their own. */
    networkSocket: join(run, 'network.sock'),
    storageSocket: join(run, 'storage.sock'),
    /** There when the host was made with `--separate`: each room keeps its own state, and stays so. */
    separateMark: join(data, 'separate'),
    upLock: join(run, 'up.lock'),
    /** There while `guesthouse down` works: a foreground `up` then ends instead of repairing. */
    downMark: join(run, 'down'),
    /** There once a house of this `up` has started the demo guest: a later house leaves it as it is. */
    demoMark: join(run, 'demo'),
    /** What root's password is checked against. */
    passwordHash: join(data, 'password.hash'),
    /** Root's password, made on first start; gone once root has chosen another. */
    password: join(data, 'password'),
    /** A password that the house has yet to take; it renames the file to `password` when it has. */
    passwordNew: join(data, 'password.new'),
    logs: join(data, 'log'),
    /** JSON lines of one process. */
    log: (name: string) => join(data, 'log', `${name}.log`),
    /** What a child of the supervisor prints. */
    output: (name: string) => join(data, 'log', `${name}.out`),
  };
}

/** The data folder when `--data` is not given. */
export function defaultData(env: NodeJS.ProcessEnv = process.env, uid: number = process.getuid?.() ?? 0): string {
  if (env['GUESTHOUSE_DATA']) return env['GUESTHOUSE_DATA'];
  if (uid === 0) return '/var/lib/guesthouse';
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'guesthouse');
}

/** Where the xenvm of a VM takes commands: `$XENVM_SOCKET_DIR`, as its other clients have it, else with the host's sockets. */
export function xenvmSocket(data: string, uuid: string, env: NodeJS.ProcessEnv = process.env): string {
  return join(env['XENVM_SOCKET_DIR'] || join(places(data).run, 'xenvm'), `vm-${uuid}`);
}
