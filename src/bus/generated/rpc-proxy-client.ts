/** Made by xc-rpcgen from idl/rpc_proxy.xml: change that, and make it again. */
import type { BusCalls } from "../interface.ts";

/** The firewall between guests and the bus. Every broker stands in line for the name. */
export class ComCitrixXenclientRpcProxyClient {
  readonly interfaceName = "com.citrix.xenclient.rpc_proxy";
  readonly #bus: BusCalls;
  readonly #service: string;
  readonly #path: string;

  constructor(bus: BusCalls, service: string, path: string) {
    this.#bus = bus;
    this.#service = service;
    this.#path = path;
  }
  /** Whether an ordinary domain may call this. */
  async validateCall(domain: number, destination: string, interface_: string, member: string): Promise<boolean> {
    return (await this.#call("validate_call", "isss", domain, destination, interface_, member))[0] as boolean;
  }
  /** Whether a rule lets an ordinary domain have this signal. */
  async validateRecvSignal(domain: number, interface_: string, member: string): Promise<boolean> {
    return (await this.#call("validate_recv_signal", "iss", domain, interface_, member))[0] as boolean;
  }
  /** Whether an ordinary domain may send this signal. */
  async validateSendSignal(domain: number, interface_: string, member: string): Promise<boolean> {
    return (await this.#call("validate_send_signal", "iss", domain, interface_, member))[0] as boolean;
  }
  /** Refused: rules are in files and in the database. */
  async addRule(rule: string): Promise<void> {
    await this.#call("add_rule", "s", rule);
  }
  /** Refused: rules are in files and in the database. */
  async deleteRule(rule: string): Promise<void> {
    await this.#call("delete_rule", "s", rule);
  }
  /** The global rules, in their order. */
  async listRules(): Promise<readonly string[]> {
    return (await this.#call("list_rules", ""))[0] as readonly string[];
  }
  /** The domain behind a connection of this broker; an error for every other connection. Not in OpenXT's interface. */
  async getConnectionDOMID(name: string): Promise<number> {
    return (await this.#call("GetConnectionDOMID", "s", name))[0] as number;
  }
  /** Who is behind a connection of this broker; no uuid is an empty one. Not in OpenXT's interface. */
  async getConnectionSource(name: string): Promise<readonly [number, string, boolean]> {
    return (await this.#call("GetConnectionSource", "s", name)) as unknown as readonly [number, string, boolean];
  }
  #call(member: string, signature: string, ...args: readonly unknown[]): Promise<readonly unknown[]> {
    const to = { destination: this.#service, path: this.#path, interface: this.interfaceName };
    return this.#bus.call({ ...to, member, signature, args });
  }
}
