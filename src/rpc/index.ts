export { type ConnectOptions, connectContract } from './client.ts';
export { rpcErrors } from './errors.ts';
export { type Served, type ServeOptions, serveContract } from './server.ts';
export { checkSocketPath, isAnswered } from './socket-path.ts';
