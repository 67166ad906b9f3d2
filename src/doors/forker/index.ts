export { type Incoming, serveForker } from './door.ts';
