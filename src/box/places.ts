/** Where a box keeps what, below its data folder. */
import { join, resolve } from 'node:path';

export type BoxPlaces = ReturnType<typeof boxPlaces>;

export function boxPlaces(folder: string) {
  const data = resolve(folder);
  const machine = join(data, 'box');
  const run = join(data, 'run');
  return {
    data,
    run,
    logs: join(data, 'log'),
    /** What the box's kernel and first programs print. */
    console: join(data, 'log', 'box-console.log'),
    /** What QEMU itself prints. */
    qemuLog: join(data, 'log', 'box-qemu.log'),
    upLock: join(run, 'up.lock'),
    /** QMP, for `up` itself and for the other commands. */
    qmp: join(run, 'box-qmp.sock'),
    qmpMore: join(run, 'box-qmp2.sock'),
    /** The connection that `ssh` and `exec` share. */
    sshControl: join(run, 'box-ssh.sock'),
    /** XenAPI without a password, as of any host. */
    xapiSocket: join(run, 'xapi.sock'),
    password: join(data, 'password'),
    /** QEMU runs in this folder and finds these by their names. */
    machine,
    debian: join(machine, 'debian'),
    toolstack: join(machine, 'toolstack.img'),
    rootDisk: join(machine, 'root.qcow2'),
    dataDisk: join(machine, 'data.qcow2'),
    seed: join(machine, 'seed.tar'),
    /** What the disks and snapshots belong to. */
    record: join(machine, 'record.json'),
    ssh: join(data, 'ssh'),
    key: join(data, 'ssh', 'id_ed25519'),
    hostKey: join(data, 'ssh', 'host_ed25519'),
    knownHosts: join(data, 'ssh', 'known_hosts'),
    /** Port of the running box's ssh on loopback. */
    sshPort: join(run, 'box-ssh.port'),
  };
}
