/** XXH64 with the seed 0, as 16 hexadecimal digits in upper case. */
import xxhash, { type XXHash } from 'xxhash-wasm';

type Api = Awaited<ReturnType<typeof xxhash>>;

export class Checksums {
  readonly #api: Api;
  private constructor(api: Api) {
    this.#api = api;
  }
  static async open(): Promise<Checksums> {
    return new Checksums(await xxhash());
  }
  of(data: Buffer): string {
    return hex(this.#api.h64Raw(data));
  }
  /** For what comes in parts. */
  begin(): { update(data: Buffer): void; digest(): string } {
    const state: XXHash<bigint> = this.#api.create64();
    return { update: (data) => void state.update(data), digest: () => hex(state.digest()) };
  }
}
const hex = (n: bigint): string => n.toString(16).padStart(16, '0').toUpperCase();
