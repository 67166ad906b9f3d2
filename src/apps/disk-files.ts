/** The bytes of a host's disks to and from files of this machine, over the local socket. */
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { VdTools } from '../doors/xen12/vd-tool.ts';

const mib = 1 << 20;

export function diskFiles(o: {
  address: { readonly socketPath: string } | { readonly port: number };
  session: string;
}): Pick<VdTools, 'sizeOf' | 'fill' | 'save'> {
  const begin = (method: string, path: string, disk: { uuid: string }, headers = {}) => {
    const query = new URLSearchParams({ session_id: o.session, vdi: disk.uuid, format: 'raw' });
    return request({ ...o.address, method, path: `${path}?${query}`, headers });
  };
  return {
    sizeOf: (path) => Math.ceil(statSync(path).size / mib) * mib,
    async fill(disk, path) {
      const put = begin('PUT', '/import_raw_vdi', disk, { 'content-length': statSync(path).size });
      const answered = answerOf(put);
      await Promise.all([pipeline(createReadStream(path), put), answered]);
      (await answered).resume();
    },
    async save(disk, path) {
      const get = begin('GET', '/export_raw_vdi', disk);
      const answered = answerOf(get);
      get.end();
      try {
        await pipeline(await answered, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(path, { force: true });
        throw error;
      }
    },
  };
}
function answerOf(call: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    call.once('error', reject);
    call.once('response', (answer) => {
      if (answer.statusCode === 200) return resolve(answer);
      answer.resume();
      reject(new Error(`the host refuses: ${answer.statusCode} ${answer.statusMessage}`));
    });
  });
}
