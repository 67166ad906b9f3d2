/** `xc_vd_tool`: makes and looks after virtual disks. One row per command. */
import type { Io } from './io.ts';
import { fromMib, toMib, type VirtualDisk, type VirtualDisks } from './virtual-disks.ts';

const usage = `Usage: xc_vd_tool COMMAND ...
  initialise FOLDER [EXTENT_MB]      keep new virtual disks in this folder of the host
  create SIZE_MB [EXPIRY_S]          a new disk; it expires so many seconds from now, 0 (usual): never
  enlarge ID EXTRA_MB
  delete ID                          expire it now; undelete ID [EXPIRY_S] takes that back until its room is needed
  import FILE [EXPIRY_S]             a new disk with the bytes of a file
  export ID FILE                     the bytes of a disk as a new file
  setexpiry ID [EXPIRY_S]
  list
  freespace
`;
export interface VdTools extends Io {
  readonly disks: VirtualDisks;
  /** Bytes of a file, rounded up to whole MiB. Throws when there is none. */
  readonly sizeOf: (path: string) => number;
  /** Fills a disk with the bytes of a file. */
  readonly fill: (disk: VirtualDisk, path: string) => Promise<void>;
  /** Writes the bytes of a disk to a new file. */
  readonly save: (disk: VirtualDisk, path: string) => Promise<void>;
}
interface Row {
  readonly needs: number;
  readonly run: (t: VdTools, args: readonly string[]) => Promise<number | undefined>;
}

/** Answers the exit status. */
export async function vdTool(args: readonly string[], t: VdTools): Promise<number> {
  const [name = '', ...rest] = args;
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
  if (!row || rest.length < row.needs) {
    t.err(row ? `xc_vd_tool: ${name} needs ${row.needs} arguments\n${usage}` : usage);
    return 255;
  }
  try {
    const result = await row.run(t, rest);
    if (result !== undefined) t.out(`return code ${result}\n`);
    return 0;
  } catch (error) {
    t.err(`xc_vd_tool: ${(error as Error).message}\n`);
    t.out('return code -1\n');
    return 1;
  }
}
function number(what: string, text: string, least = 0): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    throw new Error(`${what} must be a whole number, at least ${least}, not "${text}"`);
  return Number(text);
}
const seconds = (text: string | undefined): number => number('the expiry', text ?? '0');
const shown = (t: VdTools, id: string): void => t.out(`Returned virtual disk id is : ${id}\n`);

const rows: Readonly<Record<string, Row>> = {
  initialise: {
    needs: 1,
    async run(t, [folder = '', extent = '64']) {
      if (!folder.startsWith('/')) throw new Error(`${folder}: the path of the folder must be absolute`);
      t.out(`Formatting for virtual disks\nDevice: ${folder}\nExtent size: ${number('the extent', extent, 1)}MB\n`);
      await t.disks.initialise(folder, Number(extent));
      return 0;
    },
  },
  create: {
    needs: 1,
    async run(t, [size = '', expiry]) {
      shown(t, await t.disks.create(fromMib(number('the size', size, 1)), seconds(expiry)));
      return undefined;
    },
  },
  enlarge: {
    needs: 2,
    async run(t, [id = '', extra = '']) {
      await t.disks.enlarge(id, fromMib(number('the size', extra, 1)));
      return 0;
    },
  },
  delete: {
    needs: 1,
    async run(t, [id = '']) {
      await t.disks.delete(id);
      return 0;
    },
  },
  undelete: {
    needs: 1,
    async run(t, [id = '', expiry]) {
      try {
        await t.disks.undelete(id, seconds(expiry));
      } catch (error) {
        t.out('Undelete operation failed\n');
        throw error;
      }
      t.out('Undelete operation succeeded\n');
      return undefined;
    },
  },
  import: {
    needs: 1,
    async run(t, [file = '', expiry]) {
      const id = await t.disks.create(t.sizeOf(file), seconds(expiry));
      try {
        await t.fill(await t.disks.lookup(id), file);
      } catch (error) {
        await t.disks.delete(id);
        throw error;
      }
      shown(t, id);
      return undefined;
    },
  },
  export: {
    needs: 2,
    async run(t, [id = '', file = '']) {
      if (t.exists(file)) throw new Error(`${file} exists already; it is not overwritten`);
      await t.save(await t.disks.lookup(id), file);
      return 0;
    },
  },
  setexpiry: {
    needs: 1,
    async run(t, [id = '', expiry]) {
      await t.disks.setExpiry(id, seconds(expiry));
      return 0;
    },
  },
  list: {
    needs: 0,
    async run(t) {
      t.out('ID    Size(MB)      Expiry\n');
      for (const { id, size, expires } of await t.disks.list()) {
        const until = expires === 0 ? 'never' : new Date(expires * 1000).toUTCString();
        t.out(`${id.padEnd(4)}  ${String(toMib(size)).padEnd(12)}  ${until}\n`);
      }
      return undefined;
    },
  },
  freespace: {
    needs: 0,
    async run(t) {
      t.out(`${Math.floor((await t.disks.free()) / fromMib(1))}\n`);
      return undefined;
    },
  },
};
