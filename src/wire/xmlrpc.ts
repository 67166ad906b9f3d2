/** The XML-RPC codec: see `xmlrpc-decode.ts` for what comes in, `xmlrpc-encode.ts` for what goes out. */
export * from './xmlrpc-decode.ts';
export * from './xmlrpc-encode.ts';
