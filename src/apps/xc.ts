/**
 * Xen 1.2's module `Xc` as a library: `import { Xc } from 'guesthouse/xc'`; `const xc = Xc.new()`; `await xc.domain_getinfo()`.
 * It speaks to the house that runs in the folder `data` (`$GUESTHOUSE_DATA`), as the commands do.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { xenopsContract } from '../contracts/xenops.ts';
import { Xc as Calls } from '../doors/xen12/xc.ts';
import { connectContract } from '../rpc/client.ts';
import { blockDevices } from './block-devices.ts';
import { defaultData, places } from './places.ts';

export interface XcOptions {
  readonly data?: string;
  /** Where each domain has its interface 0; else `$XEN12_BRIDGE`, or xenbr0 if there is one. */
  readonly bridge?: string;
  /** Why a call has answered −1; else it is written to stderr. */
  readonly onError?: (what: string, error: Error) => void;
}
/** `close` lets the process end. */
export type XcHandle = Calls & { close(): void };

export const Xc = {
  /** Throws when no house runs there. */
  new(o: XcOptions = {}): XcHandle {
    const at = places(o.data ?? defaultData());
    if (!existsSync(at.xenopsSocket)) throw new Error(`no host runs here (${at.data}); start one with "guesthouse up"`);
    const xenops = connectContract(xenopsContract, at.xenopsSocket);
    const calls = new Calls({
      xenops,
      uuid: randomUUID,
      exists: existsSync,
      blocks: blockDevices(),
      bridge: o.bridge ?? process.env['XEN12_BRIDGE'] ?? (existsSync('/sys/class/net/xenbr0') ? 'xenbr0' : undefined),
      onError: o.onError ?? ((what, error) => void process.stderr.write(`Xc.${what}: ${error.message}\n`)),
    });
    return Object.assign(calls, { close: () => xenops.close() });
  },
};
