/** Takes exact numbers of bytes from a stream, one take at a time. */
import type { Readable } from 'node:stream';

export class ByteReader {
  readonly #stream: Readable;
  #ended: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    const end = (error: Error) => {
      this.#ended ??= error;
      this.#wake?.();
    };
    stream.on('readable', () => this.#wake?.());
    stream.on('end', () => end(new Error('the connection was closed')));
    stream.on('close', () => end(new Error('the connection was closed')));
    stream.on('error', end);
  }
  /** Rejects when the stream ends first. */
  async take(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes: Buffer | null = this.#stream.read(length);
      if (bytes?.length === length) return bytes;
      if (this.#ended || bytes) throw this.#ended ?? new Error('the connection was closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
