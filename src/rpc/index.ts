export { type ConnectOptions, connectContract } from './client.ts';
export { rpcErrors } from './errors.ts';
export { type Hosts, type HostsOptions, reachHosts } from './hosts/caller.ts';
export { fingerprintsOf, headOf, type Identity, writeFrame } from './hosts/link.ts';
export { converse, type HostServer, type HostServerOptions, serveHosts } from './hosts/server.ts';
export { type Served, type ServeOptions, serveContract } from './server.ts';
export { checkSocketPath, isAnswered } from './socket-path.ts';
