/** Made by xc-rpcgen from idl/db.xml: change that, and make it again. */
import type { BusCalls } from "../interface.ts";

/** A tree of small values. A caller of another domain sees its own tree only. */
export class ComCitrixXenclientDbClient {
  readonly interfaceName = "com.citrix.xenclient.db";
  readonly #bus: BusCalls;
  readonly #service: string;
  readonly #path: string;

  constructor(bus: BusCalls, service: string, path: string) {
    this.#bus = bus;
    this.#service = service;
    this.#path = path;
  }
  /** The subtree as indented JSON. */
  async dump(path: string): Promise<string> {
    return (await this.#call("dump", "s", path))[0] as string;
  }
  /** Whether there is a node, with or without a value. */
  async exists(path: string): Promise<boolean> {
    return (await this.#call("exists", "s", path))[0] as boolean;
  }
  /** Puts JSON in place of the subtree. */
  async inject(path: string, value: string): Promise<void> {
    await this.#call("inject", "ss", path, value);
  }
  /** Names of the children, in the order in which they were made. */
  async list(path: string): Promise<readonly string[]> {
    return (await this.#call("list", "s", path))[0] as readonly string[];
  }
  /** The value of a leaf; empty for what has none. */
  async read(path: string): Promise<string> {
    return (await this.#call("read", "s", path))[0] as string;
  }
  /** What a node that is a file holds. */
  async readBinary(path: string): Promise<Uint8Array> {
    return (await this.#call("read_binary", "s", path))[0] as Uint8Array;
  }
  /** Removes the subtree; of the root, everything below it. */
  async rm(path: string): Promise<void> {
    await this.#call("rm", "s", path);
  }
  /** Stores a string, and makes the parents that are missing. A node with children stays as it is. */
  async write(path: string, value: string): Promise<void> {
    await this.#call("write", "ss", path, value);
  }
  #call(member: string, signature: string, ...args: readonly unknown[]): Promise<readonly unknown[]> {
    const to = { destination: this.#service, path: this.#path, interface: this.interfaceName };
    return this.#bus.call({ ...to, member, signature, args });
  }
}
