/** The npm package has no types of its own. */
declare module 'xen-api' {
  // biome-ignore lint/suspicious/noExplicitAny: its objects are whatever the server sends
  export function createClient(options: object): any;
}
