/** Made by xc-rpcgen from idl/db.xml: change that, and make it again. */
import type { BusCaller, BusInterface, BusServer } from "../interface.ts";

export const comCitrixXenclientDb: BusInterface = {
  name: "com.citrix.xenclient.db",
  methods: {
    "dump": { in: [{ name: "path", type: "s" }], out: [{ name: "value", type: "s" }] },
    "exists": { in: [{ name: "path", type: "s" }], out: [{ name: "ex", type: "b" }] },
    "inject": { in: [{ name: "path", type: "s" }, { name: "value", type: "s" }], out: [] },
    "list": { in: [{ name: "path", type: "s" }], out: [{ name: "value", type: "as" }] },
    "read": { in: [{ name: "path", type: "s" }], out: [{ name: "value", type: "s" }] },
    "read_binary": { in: [{ name: "path", type: "s" }], out: [{ name: "value", type: "ay" }] },
    "rm": { in: [{ name: "path", type: "s" }], out: [] },
    "write": { in: [{ name: "path", type: "s" }, { name: "value", type: "s" }], out: [] },
  },
};
/** A tree of small values. A caller of another domain sees its own tree only. */
export interface ComCitrixXenclientDbServer {
  /** The subtree as indented JSON. */
  dump(path: string, caller: BusCaller): string | Promise<string>;
  /** Whether there is a node, with or without a value. */
  exists(path: string, caller: BusCaller): boolean | Promise<boolean>;
  /** Puts JSON in place of the subtree. */
  inject(path: string, value: string, caller: BusCaller): void | Promise<void>;
  /** Names of the children, in the order in which they were made. */
  list(path: string, caller: BusCaller): readonly string[] | Promise<readonly string[]>;
  /** The value of a leaf; empty for what has none. */
  read(path: string, caller: BusCaller): string | Promise<string>;
  /** What a node that is a file holds. */
  readBinary(path: string, caller: BusCaller): Uint8Array | Promise<Uint8Array>;
  /** Removes the subtree; of the root, everything below it. */
  rm(path: string, caller: BusCaller): void | Promise<void>;
  /** Stores a string, and makes the parents that are missing. A node with children stays as it is. */
  write(path: string, value: string, caller: BusCaller): void | Promise<void>;
}
/** Serves it at a path; the answer ends it. */
export function serveComCitrixXenclientDb(bus: BusServer, path: string, server: ComCitrixXenclientDbServer): () => void {
  return bus.serve(
    path,
    comCitrixXenclientDb,
    {
      "dump": async (args, caller) => [await server.dump(args[0] as string, caller)],
      "exists": async (args, caller) => [await server.exists(args[0] as string, caller)],
      "inject": async (args, caller) => {
        await server.inject(args[0] as string, args[1] as string, caller);
        return [];
      },
      "list": async (args, caller) => [await server.list(args[0] as string, caller)],
      "read": async (args, caller) => [await server.read(args[0] as string, caller)],
      "read_binary": async (args, caller) => [await server.readBinary(args[0] as string, caller)],
      "rm": async (args, caller) => {
        await server.rm(args[0] as string, caller);
        return [];
      },
      "write": async (args, caller) => {
        await server.write(args[0] as string, args[1] as string, caller);
        return [];
      },
    },
  );
}
