/** The QEMU that is the box: its command line, as data. */

export interface Machine {
  readonly qemu: string;
  readonly accelerator: 'kvm' | 'tcg';
  readonly memoryMib: number;
  readonly qmp: readonly string[];
  readonly console: string;
  /** Ports of loopback on this machine. */
  readonly api: { readonly host: string; readonly port: number };
  readonly sshPort: number;
  /** The snapshot to come back from; absent: power on. */
  readonly snapshot?: string;
}

/** Memory of the control domain; the rest is for guests. */
const controlDomainMib = 1536;

/**
 * Paths of disks are names in QEMU's folder. The processor is one that both Xen and its guests start on under emulation: newer
 * models have features (SMAP, RDTSCP) that break one or the other there. One processor is faster than two.
 */
export function machineCommand(m: Machine): string[] {
  const console = 'console=com1 com1=115200,8n1';
  const xen = `${console} dom0_mem=${controlDomainMib}M,max:${controlDomainMib}M loglvl=warning guest_loglvl=warning noreboot spec-ctrl=no`;
  const linux = 'vmlinuz console=hvc0 earlyprintk=xen panic=-1 quiet mitigations=off';
  const socket = (path: string) => `socket,path=${comma(path)},server=on,wait=off`;
  const disk = (id: string, file: string, format: string, more: string) => [
    ...['-drive', `file=${file},format=${format},if=none,id=${id},${more}`],
    ...['-device', `virtio-blk-pci,drive=${id},id=disk-${id}`],
  ];
  return [
    m.qemu,
    ...['-name', 'guesthouse-box', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-machine', 'pc', '-accel', m.accelerator, '-m', `${m.memoryMib}`, '-smp', '1'],
    ...['-cpu', m.accelerator === 'kvm' ? 'host' : 'qemu64,+svm,+npt'],
    ...['-chardev', `file,id=console,path=${comma(m.console)},append=on`, '-serial', 'chardev:console'],
    ...m.qmp.flatMap((path, i) => ['-chardev', `${socket(path)},id=qmp${i}`, '-mon', `chardev=qmp${i},mode=control`]),
    ...disk('root', 'root.qcow2', 'qcow2', 'cache=unsafe,discard=unmap'),
    ...disk('toolstack', 'toolstack.img', 'raw', 'readonly=on'),
    ...disk('data', 'data.qcow2', 'qcow2', 'cache=writeback,discard=unmap'),
    ...disk('seed', 'seed.tar', 'raw', 'readonly=on'),
    ...[
      '-netdev',
      `user,id=net,hostfwd=tcp:${m.api.host}:${m.api.port}-10.0.2.15:80,hostfwd=tcp:127.0.0.1:${m.sshPort}-10.0.2.15:22`,
    ],
    ...['-device', 'virtio-net-pci,netdev=net,mac=52:54:00:12:34:56,romfile='],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    ...['-kernel', 'debian/xen', '-append', xen, '-initrd', `debian/${linux},debian/initrd`],
    ...(m.snapshot === undefined ? [] : ['-loadvm', m.snapshot]),
  ];
}

/** A path inside one of QEMU's options. */
const comma = (path: string) => path.replaceAll(',', ',,');
