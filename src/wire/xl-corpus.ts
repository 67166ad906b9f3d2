/** Files that are nearly right: an endless supply for tests, repeatable by a seed. */

const seeds: readonly string[] = [
  "disk=[ 'phy:/dev/loop0,hda,w', ',hdb:cdrom,r' ]\nvif=[ 'mac=00:16:3E:74:3d:77,model=rtl8139,bridge=xenbr0' ]\npci=[  ]\n",
  "name = 'web'\nuuid = '00000000-0000-4000-8000-000000000001'\nmemory = 512; maxmem = 1024\nvcpus=2\nmaxvcpus = 4\ncpus = '0-3,^1'\n",
  "type='pvh'\nkernel = '/boot/vmlinuz'\nramdisk='/boot/initrd'\nroot='/dev/xvda1'\nextra=\"ro quiet\"\ndisk = [ '/img/a.qcow2,qcow2,xvda', ]\n",
  "bootloader='pygrub'\nbootloader_args=['--quiet']\nvfb=['vnc=1,vnclisten=0.0.0.0:3,keymap=de']\ndisk=['tap:aio:/a.img,xvda1,w']\n",
  "builder='hvm'\nboot='dc'\nbios='ovmf'\nvga='stdvga'\nvideoram=16\nviridian=['base','!freq']\nserial='pty'\nusbdevice='tablet'\n",
  "vif=['rate=10Mb/s@20ms,mtu=1400,devid=3','bridge=b,type=vif,untrusted']\npci=['0000:03:10.1@5,msitranslate=1,power_mgmt=0']\n",
  "on_crash='preserve' # why\non_reboot=\"restart\"\ndisk += 'vdev=hdc, access=ro, devtype=cdrom, target=/iso/x, y.iso'\n",
  "name='a\\x41\\'\\n'\nvnuma=[ ]\ncpu_weight=0x100\ncap=010\nlocaltime=1\nrtc_timeoffset='-3600'\nhap=0\nnestedhvm=1\n",
];
const pieces: readonly string[] = [
  ...[
    '=',
    '+=',
    ',',
    ';',
    '\n',
    "'",
    '"',
    '[',
    ']',
    '[[',
    '#',
    '\\',
    '\\x',
    '0x',
    '09',
    '-1',
    '1e9',
    ' ',
    '\t',
    '\r\n',
  ],
  ...[
    ':cdrom',
    'w!',
    'xvda',
    'hda',
    'd1p2',
    'target=',
    'vdev=',
    '/',
    'nodes:1',
    '^',
    'all',
    '\0',
    'é',
    '\ud800',
    '99999999999999999999',
  ],
  ...[
    'disk',
    'vif',
    'memory',
    'type',
    'name',
    'kernel',
    'uuid',
    '__proto__',
    'constructor',
    'toString',
    'cpus',
    'vfb',
    'pci',
  ],
];

/** `count` xl files. */
export const mutations = (seed: number, count: number): Generator<string> =>
  mutationsOf({ seeds, pieces }, seed, count);

export interface Corpus {
  readonly seeds: readonly string[];
  readonly pieces: readonly string[];
}
/** `count` texts: pieces of the seeds put together, and cut, doubled, swapped and replaced here and there. */
export function* mutationsOf({ seeds, pieces }: Corpus, seed: number, count: number): Generator<string> {
  let state = seed >>> 0 || 1;
  const next = (n: number) => {
    // xorshift: quick, and the same everywhere.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
  const of = (list: readonly string[]) => list[next(list.length)] ?? '';
  for (let i = 0; i < count; i++) {
    let text = next(3) === 0 ? of(seeds) + of(seeds) : of(seeds);
    for (let edits = next(6); edits >= 0; edits--) {
      const at = next(text.length + 1);
      const length = next(4) === 0 ? next(20) : next(3);
      const kind = next(4);
      const put =
        kind === 0
          ? ''
          : kind === 1
            ? of(pieces)
            : kind === 2
              ? text.slice(at, at + 2 * length)
              : of(seeds).slice(at, at + 8);
      text = text.slice(0, at) + put + text.slice(at + length);
    }
    yield text;
  }
}
