/** Made by xc-rpcgen from idl/rpc_proxy.xml: change that, and make it again. */
import type { BusCaller, BusInterface, BusServer } from "../interface.ts";

export const comCitrixXenclientRpcProxy: BusInterface = {
  name: "com.citrix.xenclient.rpc_proxy",
  methods: {
    "validate_call": { in: [{ name: "domain", type: "i" }, { name: "destination", type: "s" }, { name: "interface", type: "s" }, { name: "member", type: "s" }], out: [{ name: "r", type: "b" }] },
    "validate_recv_signal": { in: [{ name: "domain", type: "i" }, { name: "interface", type: "s" }, { name: "member", type: "s" }], out: [{ name: "r", type: "b" }] },
    "validate_send_signal": { in: [{ name: "domain", type: "i" }, { name: "interface", type: "s" }, { name: "member", type: "s" }], out: [{ name: "r", type: "b" }] },
    "add_rule": { in: [{ name: "rule", type: "s" }], out: [] },
    "delete_rule": { in: [{ name: "rule", type: "s" }], out: [] },
    "list_rules": { in: [], out: [{ name: "rules", type: "as" }] },
    "GetConnectionDOMID": { in: [{ name: "name", type: "s" }], out: [{ name: "domain", type: "i" }] },
    "GetConnectionSource": { in: [{ name: "name", type: "s" }], out: [{ name: "domain", type: "i" }, { name: "uuid", type: "s" }, { name: "stubdom", type: "b" }] },
  },
};
/** The firewall between guests and the bus. Every broker stands in line for the name. */
export interface ComCitrixXenclientRpcProxyServer {
  /** Whether an ordinary domain may call this. */
  validateCall(domain: number, destination: string, interface_: string, member: string, caller: BusCaller): boolean | Promise<boolean>;
  /** Whether a rule lets an ordinary domain have this signal. */
  validateRecvSignal(domain: number, interface_: string, member: string, caller: BusCaller): boolean | Promise<boolean>;
  /** Whether an ordinary domain may send this signal. */
  validateSendSignal(domain: number, interface_: string, member: string, caller: BusCaller): boolean | Promise<boolean>;
  /** Refused: rules are in files and in the database. */
  addRule(rule: string, caller: BusCaller): void | Promise<void>;
  /** Refused: rules are in files and in the database. */
  deleteRule(rule: string, caller: BusCaller): void | Promise<void>;
  /** The global rules, in their order. */
  listRules(caller: BusCaller): readonly string[] | Promise<readonly string[]>;
  /** The domain behind a connection of this broker; an error for every other connection. Not in OpenXT's interface. */
  getConnectionDOMID(name: string, caller: BusCaller): number | Promise<number>;
  /** Who is behind a connection of this broker; no uuid is an empty one. Not in OpenXT's interface. */
  getConnectionSource(name: string, caller: BusCaller): readonly [number, string, boolean] | Promise<readonly [number, string, boolean]>;
}
/** Serves it at a path; the answer ends it. */
export function serveComCitrixXenclientRpcProxy(bus: BusServer, path: string, server: ComCitrixXenclientRpcProxyServer): () => void {
  return bus.serve(
    path,
    comCitrixXenclientRpcProxy,
    {
      "validate_call": async (args, caller) => [await server.validateCall(args[0] as number, args[1] as string, args[2] as string, args[3] as string, caller)],
      "validate_recv_signal": async (args, caller) => [await server.validateRecvSignal(args[0] as number, args[1] as string, args[2] as string, caller)],
      "validate_send_signal": async (args, caller) => [await server.validateSendSignal(args[0] as number, args[1] as string, args[2] as string, caller)],
      "add_rule": async (args, caller) => {
        await server.addRule(args[0] as string, caller);
        return [];
      },
      "delete_rule": async (args, caller) => {
        await server.deleteRule(args[0] as string, caller);
        return [];
      },
      "list_rules": async (_, caller) => [await server.listRules(caller)],
      "GetConnectionDOMID": async (args, caller) => [await server.getConnectionDOMID(args[0] as string, caller)],
      "GetConnectionSource": async (args, caller) => await server.getConnectionSource(args[0] as string, caller),
    },
  );
}
