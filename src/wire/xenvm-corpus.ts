/** Configuration files of xenvm that are nearly right: an endless supply for tests, repeatable by a seed. */
import { mutationsOf } from './xl-corpus.ts';

const seeds: readonly string[] = [
  'uuid = 00000000-0000-0000-0000-000000000001\nhvm = false\nkernel = /boot/vmlinuz-2.6.18-xenU\ncmdline = root=/dev/sda1 ro\nmemory = 64\ndisk = /dev/vg/test:phy:sda:w:disk\nvif =\n',
  'hvm = true\nmemory = 256\ndisk = /dev/vg/testhvm:phy:hda:w:disk\ndisk = /iso/w2k3.iso:file:hdd:r:cdrom\nboot = dc\npae = true\nacpi = yes\napic = 1\n',
  '# a comment\nname = web\nhvm=0\nkernel=/k\ninitrd=/i\nmemory=0x40\nmemory-max = 128\nvcpus = 2\non_halt = preserve\non_reboot = reboot\non_crash = restart\n',
  'hvm = TRUE\nmemory = 64\nnic = id=3,bridge=xenbr0,mac=00:16:3e:00:00:01,model=e1000\nnic = wireless=true\nnic = mac=random\ndisplay = vnc:keymap=de,port=5901\n',
  'memory=64\nkernel=/k\nplatform = a=b\ncpus-affinity = 0:0,1,63\ncpuid = 0x1:eax=xxxxxxxxxxxxxxxxxxxxxxxxxxxx0101\nnotify = tcp,127.0.0.1:99\nstartup = restore /var/x\n',
  'hvm=y\nmemory=32\ndisk=/a.qcow:qcow:xvdb:w:disk:none:backend-domid=0\ndisk=:file:hdc:r:cdrom\ndisk=/b:file:51728:r:disk::\ntimeoffset=-3600\nserial=pty\nvideoram=8\n',
  'pci = 0,bind,0000:00:19.0,msitranslate=1\npassthrough-io = 0x60-0x64\nextra-hvm = x=y\nextra-local-watch = power-state\nstubdom = x\ndebug = false\n',
];
const pieces: readonly string[] = [
  ...['=', ':', ',', '\n', '\r\n', ' ', '\t', '#', '-1', '0x', '1e9', '/', '..', '\0', '\x1b', 'é', '\ud800', '"', "'"],
  ...['memory', 'kernel', 'hvm', 'disk', 'vif', 'nic', 'pci', 'uuid', 'startup', 'on_halt', '__proto__', 'constructor'],
  ...['true', 'maybe', 'restore', 'xvda', 'hda1', 'sdz', 'vhd', 'cdrom', 'temporary', '99999999999999999999', 'id=31'],
];
/** `count` files. */
export const xenvmMutations = (seed: number, count: number): Generator<string> =>
  mutationsOf({ seeds, pieces }, seed, count);
