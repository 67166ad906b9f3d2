/**
 * `PUT /import_raw_vdi` and `GET /export_raw_vdi`: the content of disks as a stream. Bytes go between the connection and the
 * socket of a storage transfer, with back-pressure both ways; the task shows how many have passed. Once the head of an answer is
 * sent, a failure shows in the task only.
 */
import type { House } from '../context.ts';
import type { Route } from '../routes.ts';
import { exportDisk } from './disk-export.ts';
import { importDisk } from './disk-import.ts';

export function diskRoutes(house: House): readonly Route[] {
  return [
    {
      method: 'PUT',
      path: '/import_raw_vdi',
      role: 'vm-admin',
      permission: 'put_import_raw_vdi',
      task: 'Import of a disk',
      handle: (call) => importDisk(house, call),
    },
    {
      method: 'GET',
      path: '/export_raw_vdi',
      role: 'vm-admin',
      permission: 'get_export_raw_vdi',
      task: 'Export of a disk',
      handle: (call) => exportDisk(house, call),
    },
  ];
}
