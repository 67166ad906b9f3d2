/** `file`: qcow2 (or raw) disks in a folder of this host, snapshots and clones by backing chains. */
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storageErrors } from '../../../contracts/storage.ts';
import type { Config, DiskFormat, Driver } from '../../driver.ts';
import { isAbsent, writeDurably } from '../../durable.ts';
import { checkedLocation, isFolder, listFolder, makeFolder, placeOf } from '../../place.ts';
import { vdiOf } from './layer.ts';
import { FileRepository } from './repository.ts';

/** Which repository a folder is; undefined when it is none. */
async function identityOf(folder: string): Promise<string | undefined> {
  try {
    const value = JSON.parse(await readFile(join(folder, 'sr.json'), 'utf8')) as { sr?: unknown; type?: unknown };
    if (value.type === 'file' && typeof value.sr === 'string') return value.sr;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
  }
  const reason = `${join(folder, 'sr.json')} is damaged; it should say {"type":"file","sr":"UUID"}`;
  throw storageErrors.make('Bad_config', { key: 'location', reason });
}

function usualFormat({ format = 'qcow2' }: Config): DiskFormat {
  const known = fileDriver.formats.find((each) => each === format);
  const reason = `${JSON.stringify(format)} is none; there are ${fileDriver.formats.join(', ')}`;
  if (!known) throw storageErrors.make('Bad_config', { key: 'format', reason });
  return known;
}

export const fileDriver: Driver = {
  type: 'file',
  label: 'Local folder',
  description: 'Disks as qcow2 files in a folder of the host, with fast snapshots and clones',
  config: {
    location: 'absolute path of the folder; made when it is missing',
    format: 'what new disks are unless they say so themselves: qcow2 (the default), raw or vhd',
  },
  formats: ['qcow2', 'raw', 'vhd'],
  capabilities: ['create', 'destroy', 'resize', 'snapshot', 'clone', 'copy', 'import', 'export', 'rename'],
  sizeUnit: 512,
  async create(ground, sr, config) {
    const folder = placeOf(ground, sr, config, ['format']);
    usualFormat(config);
    const there = (await isFolder(folder)) ? await identityOf(folder) : undefined;
    if (there !== undefined) throw storageErrors.make('Already_exists', { what: 'repository', id: there });
    const files = (await listFolder(folder)) ?? [];
    if (files.length > 0) {
      const reason = `${folder} is not empty (${files.slice(0, 3).join(', ')}…); choose an empty or new folder`;
      throw storageErrors.make('Bad_config', { key: 'location', reason });
    }
    await makeFolder(folder);
    await chmod(folder, 0o711);
    await writeDurably(join(folder, 'sr.json'), join(folder, `${sr}.tmp`), JSON.stringify({ type: 'file', sr }));
  },
  async attach(ground, sr, config) {
    const folder = placeOf(ground, sr, config, ['format']);
    const format = usualFormat(config);
    const there = await identityOf(folder);
    if (there !== sr) {
      const reason = there ? `${folder} is the repository ${there}` : `${folder} is no repository; create one there`;
      throw storageErrors.make('Bad_config', { key: 'location', reason });
    }
    const repository = new FileRepository(ground, sr, folder, format);
    await repository.recover();
    return repository;
  },
  async probe(_ground, config) {
    const folder = checkedLocation(config['location']);
    const files = await listFolder(folder);
    const sr = files && (await identityOf(folder));
    if (!files || sr === undefined) return [];
    return [{ sr, vdis: new Set(files.map(vdiOf).filter((vdi) => vdi !== undefined)).size }];
  },
};
