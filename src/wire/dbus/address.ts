/** Addresses of message buses, as D-Bus writes them: `unix:path=…`, `unix:abstract=…`, `tcp:host=…,port=…`; the first of a list. */

/** What `net.connect` takes. */
export type BusAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** Throws what is wrong with it, naming the address. */
export function parseBusAddress(text: string): BusAddress {
  const [first = ''] = text.split(';');
  const colon = first.indexOf(':');
  const transport = first.slice(0, Math.max(colon, 0));
  const keys = new Map<string, string>();
  for (const pair of first
    .slice(colon + 1)
    .split(',')
    .filter(Boolean)) {
    const [key = '', value] = pair.split('=', 2);
    if (value === undefined) throw new Error(`bus address ${text}: ${pair}: a key and a value are wanted, key=value`);
    keys.set(key, percentDecoded(value, text));
  }
  const [path, abstract, host, port] = ['path', 'abstract', 'host', 'port'].map((key) => keys.get(key));
  if (transport === 'unix' && path) return { path };
  if (transport === 'unix' && abstract) return { path: `\0${abstract}` };
  if (transport === 'tcp' && port && /^[0-9]{1,5}$/.test(port))
    return { host: host ?? 'localhost', port: Number(port) };
  throw new Error(`bus address ${text}: it is none of unix:path=FILE, unix:abstract=NAME, tcp:host=HOST,port=N`);
}
function percentDecoded(value: string, address: string): string {
  try {
    return decodeURIComponent(value);
  } catch (cause) {
    throw new Error(`bus address ${address}: ${value}: % is followed by two hex digits`, { cause });
  }
}
