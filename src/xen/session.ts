/** One long piece of work with the hypervisor: its own connection and its own log, so that its errors are its own. */
import type { Blocking, LibraryFunction } from './blocking.ts';
import { type Library, loadLibrary } from './koffi.ts';
import { openControl } from './libxenctrl.ts';
import { openXenLog } from './libxentoollog.ts';

/** A long call failed; the message ends with what Xen's libraries said about it. */
export class XenFailed extends Error {
  override readonly name = 'XenFailed';
  readonly call: string;
  readonly words: string;
  constructor(call: string, words: string) {
    super(`${call} failed${words === '' ? '' : `: ${words}`}`);
    this.call = call;
    this.words = words;
  }
}

export interface Session extends Disposable {
  readonly handle: bigint;
  readonly ctrl: Library;
  readonly guest: Library;
  /** Runs `f` on a worker thread. Throws `XenFailed` for a negative result. */
  run(call: string, f: LibraryFunction, ...args: readonly unknown[]): Promise<number>;
  /** What the libraries said last. */
  lastWords(): string;
}

export function openSession(blocking: Blocking): Session {
  const log = openXenLog();
  const control = openControl(log);
  return {
    handle: control.handle,
    ctrl: control.library,
    guest: loadLibrary('libxenguest.so.4.17', 'libxenmisc4.17'),
    async run(call, f, ...args) {
      const result = await blocking.call(f, ...args);
      if (result < 0) throw new XenFailed(call, log.lastWords());
      return result;
    },
    lastWords: () => log.lastWords(),
    [Symbol.dispose]() {
      control.close();
      log.close();
    },
  };
}
