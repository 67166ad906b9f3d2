/** Whole VMs in and out over HTTP. */
import type { House } from '../context.ts';
import type { HttpRoute, Route } from '../routes.ts';
import { exportMetadata, exportVm } from './vm-export.ts';
import { importMetadata, importVms } from './vm-import.ts';

export function vmRoutes(house: House): readonly Route[] {
  const route = (method: HttpRoute['method'], path: string, task: string, handle: HttpRoute['handle']): HttpRoute => ({
    method,
    path,
    role: 'vm-admin',
    permission: `${method.toLowerCase()}_${path.slice(1)}`,
    task,
    handle,
  });
  return [
    route('GET', '/export', 'Export of a VM', (call) => exportVm(house, call)),
    route('GET', '/export_metadata', 'Export of the metadata of VMs', (call) => exportMetadata(house, call)),
    route('PUT', '/import', 'Import of VMs', (call) => importVms(house, call)),
    route('PUT', '/import_metadata', 'Import of the metadata of VMs', (call) => importMetadata(house, call)),
  ];
}
