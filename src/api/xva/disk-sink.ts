/** A disk that is filled by a stream of some format; `framed`: in pieces with their places, in growing order. */
import type { Duplex } from 'node:stream';
import type { Ref } from '../../datamodel/dsl.ts';
import type { DiskFormat } from '../../wire/disk-head.ts';
import type { Working } from '../context.ts';
import { cancel, targetOf } from '../routes/disk-target.ts';
import { translateError } from '../translate/errors.ts';

export class DiskSink {
  readonly #working: Working;
  readonly #socket: Duplex;
  readonly #transfer: string;
  readonly #done: Promise<unknown>;
  readonly #framed: boolean;
  #failure: unknown;

  private constructor(working: Working, socket: Duplex, framed: boolean, transfer: string, done: Promise<unknown>) {
    this.#working = working;
    this.#framed = framed;
    this.#socket = socket;
    this.#transfer = transfer;
    this.#done = done;
    socket.resume();
    // It surfaces where something is written next.
    socket.on('error', () => undefined);
    done.catch((error: unknown) => {
      this.#failure ??= error;
      socket.destroy();
    });
  }
  static async open(working: Working, ref: Ref<'VDI'>, format: DiskFormat | 'framed' = 'framed'): Promise<DiskSink> {
    const { storage, task } = working;
    const { sr, vdi } = targetOf(working, ref);
    const { transfer, socket } = await storage.transfer.begin(
      { sr: sr.uuid, vdi: vdi.uuid, direction: 'import', format },
      { label: task.ref },
    );
    const done = storage.transfer.wait({ transfer }, { label: task.ref, signal: task.signal });
    return new DiskSink(working, await working.connect(socket), format === 'framed', transfer, done);
  }
  /** Why storage gave up, in the API's words. */
  get failure(): Error | undefined {
    const { db, task } = this.#working;
    return this.#failure === undefined ? undefined : translateError(db, this.#failure, task.ref);
  }
  /** `length` bytes at `at` follow. */
  async begin(at: number, length: number): Promise<void> {
    // Twelve zero bytes would be the end: nothing at the start of the disk is not said.
    if (length > 0) await this.write(head(at, length));
  }
  async write(data: Buffer): Promise<void> {
    if (this.#socket.destroyed) await this.#done;
    if (this.#socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const go = () => {
        this.#socket.off('drain', go).off('close', go);
        resolve();
      };
      this.#socket.on('drain', go).on('close', go);
    });
  }
  /** The disk has its new content, on the medium. */
  async end(): Promise<void> {
    if (this.#framed) await this.write(head(0, 0));
    this.#socket.end();
    await this.#done;
  }
  /** The disk keeps what it had. */
  async giveUp(): Promise<void> {
    this.#socket.destroy();
    await cancel(this.#working, { transfer: this.#transfer, done: this.#done });
  }
}
function head(at: number, length: number): Buffer {
  const b = Buffer.alloc(12);
  b.writeBigUInt64LE(BigInt(at), 0);
  b.writeUInt32LE(length, 8);
  return b;
}
