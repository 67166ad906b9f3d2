/** Memory that a library keeps pointers to: at one address until it is let go of. */
import { koffi } from './koffi.ts';

export class NativeMemory implements Disposable {
  readonly #blocks: bigint[] = [];

  /** `size` zeroed bytes: their address, and a view of them. */
  take(size: number): { readonly address: bigint; readonly bytes: Buffer } {
    const address: bigint = koffi().alloc('uint8_t', Math.max(size, 1));
    this.#blocks.push(address);
    const bytes = Buffer.from(koffi().view(address, size));
    bytes.fill(0);
    return { address, bytes };
  }
  /** A copy of `data`. */
  hold(data: Uint8Array): bigint {
    const { address, bytes } = this.take(data.length);
    bytes.set(data);
    return address;
  }
  [Symbol.dispose](): void {
    for (const block of this.#blocks.splice(0)) koffi().free(block);
  }
}
