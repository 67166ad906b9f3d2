/** A session of root over the network, for what is not a call: transfers and consoles. */
import type { LiveHost } from '../host.ts';

export async function login(h: LiveHost): Promise<string> {
  const params = ['root', h.password, '2.0', 'live tests'];
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'session.login_with_password', params });
  const answer = await fetch(`${h.url}/jsonrpc`, { method: 'POST', body });
  const { result, error } = (await answer.json()) as { result?: string; error?: { message: string } };
  if (result === undefined) throw new Error(`login: ${error?.message}`);
  return result;
}
