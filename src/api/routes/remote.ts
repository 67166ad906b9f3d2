/** Files that the host itself fetches from elsewhere, by HTTP or HTTPS. */
import { fail } from '../../datamodel/errors.ts';

export interface Remote {
  readonly content: AsyncGenerator<Buffer>;
  /** Bytes; undefined when the server does not say. */
  readonly length: number | undefined;
}
/** IMPORT_ERROR says why it cannot be had. Redirections are followed. */
export async function fetched(address: string, signal: AbortSignal): Promise<Remote> {
  const refuse = (why: string, cause?: unknown) =>
    fail('IMPORT_ERROR', { msg: `${address.slice(0, 300)}: ${why}` }, cause === undefined ? {} : { cause });
  const url = URL.parse(address);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw refuse('it is no address that begins with http:// or https://');
  let answer: Response;
  try {
    answer = await fetch(url, { signal, headers: { 'accept-encoding': 'identity' } });
  } catch (error) {
    signal.throwIfAborted();
    throw refuse(`it cannot be reached (${String((error as Error).cause ?? error)})`, error);
  }
  const { body, status, headers } = answer;
  if (!answer.ok || !body) {
    await body?.cancel();
    throw refuse(`it answers with status ${status}`);
  }
  const said = headers.get('content-length');
  const length = said !== null && /^\d{1,15}$/.test(said) ? Number(said) : undefined;
  return { content: piecesOf(body, refuse), length };
}
async function* piecesOf(
  body: ReadableStream<Uint8Array>,
  refuse: (why: string, cause: unknown) => Error,
): AsyncGenerator<Buffer> {
  try {
    for await (const piece of body) yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  } catch (error) {
    throw refuse('it broke off', error);
  }
}
