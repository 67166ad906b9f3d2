/** `iso`: a folder of ISO files, each a read-only disk for CD drives. */
import { storageErrors } from '../../../contracts/storage.ts';
import type { Driver } from '../../driver.ts';
import { checkedLocation, isFolder, listFolder, makeFolder, placeOf } from '../../place.ts';
import { readIndex, writeIndex } from './index-file.ts';
import { IsoRepository } from './repository.ts';

export const isoDriver: Driver = {
  type: 'iso',
  label: 'ISO folder',
  description: 'ISO files in a folder of the host, as read-only disks',
  config: { location: 'absolute path of the folder; made when it is missing' },
  capabilities: ['create', 'destroy', 'copy', 'import', 'export', 'rename'],
  formats: ['raw'],
  sizeUnit: 1,
  async create(ground, sr, config) {
    const folder = placeOf(ground, sr, config);
    const there = (await isFolder(folder)) ? await readIndex(folder) : undefined;
    if (there) throw storageErrors.make('Already_exists', { what: 'repository', id: there.sr });
    await makeFolder(folder);
    const written = await writeIndex(folder, `.guesthouse-${sr}.tmp`, { sr, files: {} });
    if (!written) ground.log.info('the folder of ISO files cannot be written: no uploads', { sr, folder });
  },
  async attach(ground, sr, config) {
    const folder = placeOf(ground, sr, config);
    if (!(await isFolder(folder)))
      throw storageErrors.make('Bad_config', { key: 'location', reason: `there is no folder ${folder}` });
    const there = await readIndex(folder);
    if (there && there.sr !== sr)
      throw storageErrors.make('Bad_config', { key: 'location', reason: `${folder} is the repository ${there.sr}` });
    const repository = new IsoRepository(ground, sr, folder);
    await repository.recover();
    return repository;
  },
  async probe(_ground, config) {
    const folder = checkedLocation(config['location']);
    const files = await listFolder(folder);
    const there = files && (await readIndex(folder));
    return there ? [{ sr: there.sr, vdis: files.filter((file) => /^[^.].*\.iso$/i.test(file)).length }] : [];
  },
};
