/** JSON-RPC over Node's HTTP client: unix sockets, TLS with a choice of trust, connections kept alive. */
import * as http from 'node:http';
import * as https from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { ApiError } from '../datamodel/errors.ts';
import { jsonRpcRequest, jsonRpcResult, type Transport } from './transport.ts';

export type Address =
  | { readonly socketPath: string }
  | {
      readonly host: string;
      readonly port: number;
      /** Absent: plain HTTP. */
      readonly tls?: Pick<ConnectionOptions, 'ca' | 'rejectUnauthorized' | 'checkServerIdentity' | 'servername'>;
    };

export interface NodeTransport extends Transport {
  /** Closes kept connections. */
  close(): void;
}

export function nodeTransport(address: Address): NodeTransport {
  const secure = 'tls' in address && address.tls !== undefined;
  const agent = secure ? new https.Agent({ keepAlive: true, ...address.tls }) : new http.Agent({ keepAlive: true });
  const where =
    'socketPath' in address ? { socketPath: address.socketPath } : { host: address.host, port: address.port };
  const request = secure ? https.request : http.request;
  return {
    async call(method, params, signal) {
      const body = Buffer.from(jsonRpcRequest(method, params));
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const options = { ...where, agent, method: 'POST', path: '/jsonrpc', headers, signal };
      const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
        const req = request(options, (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
          );
        });
        req.on('error', reject);
        req.end(body);
      });
      if (status !== 200)
        throw ApiError.of('INTERNAL_ERROR', { message: `the host answered ${status}: ${text.slice(0, 200)}` });
      return jsonRpcResult(text);
    },
    close: () => agent.destroy(),
  };
}
