/** Installers over HTTP: found by the layouts of distributions, fetched with limits on size and time. */
import type { FileHandle } from 'node:fs/promises';
import { bootloaderErrors } from '../contracts/bootloader.ts';
import { type Candidate, candidates, type Hints, treeInfoCandidate } from './layouts.ts';
import { nothing } from './menu.ts';

/** An answer must begin within this time … */
const answerMs = 20_000;
/** … and go on within this one, */
const silenceMs = 30_000;
/** … and be whole within this one. */
const wholeMs = 15 * 60_000;
const smallFile = 1 << 20;

export class Repository {
  readonly #base: URL;
  readonly #signal: AbortSignal | undefined;

  /** Refuses what is no address of a web server. */
  constructor(address: string, signal?: AbortSignal) {
    const url = URL.parse(address.endsWith('/') ? address : `${address}/`);
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw nothing(
        `the install repository ${JSON.stringify(address)} is no address that begins with http:// or https://, nor cdrom`,
      );
    }
    this.#base = url;
    this.#signal = signal;
  }
  /** The first installer whose kernel is there. */
  async find(hints: Hints): Promise<Candidate> {
    for (const name of ['.treeinfo', 'treeinfo']) {
      const text = await this.#text(name);
      const found = text === undefined ? undefined : treeInfoCandidate(text, hints);
      if (found && (await this.#isThere(found.kernel))) return found;
    }
    const all = candidates(hints);
    for (const candidate of all) if (await this.#isThere(candidate.kernel)) return candidate;
    const tried = all.slice(0, 2).map((c) => c.kernel);
    throw nothing(
      `the install repository ${this.#shown()} has no installer that is known (${all.length} places were tried, such as ${tried.join(' and ')}); is other-config:debian-release right?`,
    );
  }
  /** Writes a file; refuses one of more than `limit` bytes. */
  async fetch(path: string, to: FileHandle, limit: number): Promise<void> {
    const { response, over } = await this.#get(path, 'GET');
    const url = this.#shown(path);
    try {
      if (!response.ok) throw nothing(`${url}: the server answers ${response.status}`);
      let length = 0;
      for await (const piece of pieces(response, url)) {
        length += piece.length;
        if (length > limit) throw nothing(`${url} has more than ${limit} bytes`);
        await to.write(piece);
      }
      const told = Number(response.headers.get('content-length') ?? length);
      if (!response.headers.has('content-encoding') && told !== length)
        throw nothing(`${url} is cut off: ${length} of ${told} bytes came`);
    } catch (error) {
      throw this.#inWords(error, url);
    } finally {
      over();
    }
  }
  async #text(path: string): Promise<string | undefined> {
    const { response, over } = await this.#get(path, 'GET');
    try {
      if (!response.ok) return undefined;
      const got: Uint8Array[] = [];
      let length = 0;
      for await (const piece of pieces(response, path)) {
        length += piece.length;
        if (length > smallFile) return undefined;
        got.push(piece);
      }
      return Buffer.concat(got).toString('utf8');
    } catch (error) {
      throw this.#inWords(error, this.#shown(path));
    } finally {
      over();
    }
  }
  async #isThere(path: string): Promise<boolean> {
    const { response, over } = await this.#get(path, 'HEAD');
    over();
    return response.ok;
  }
  /** `over` ends the request, whatever is left of it. */
  async #get(path: string, method: 'GET' | 'HEAD'): Promise<{ response: Response; over: () => void }> {
    const ended = new AbortController();
    const late = setTimeout(() => ended.abort(new Error(`no answer within ${answerMs / 1000} s`)), answerMs);
    const signals = [ended.signal, AbortSignal.timeout(wholeMs), ...(this.#signal ? [this.#signal] : [])];
    try {
      const headers = { 'accept-encoding': 'identity', 'user-agent': 'guesthouse' };
      const response = await fetch(new URL(path, this.#base), { method, headers, signal: AbortSignal.any(signals) });
      return { response, over: () => ended.abort() };
    } catch (error) {
      throw this.#inWords(error, this.#shown(path));
    } finally {
      clearTimeout(late);
    }
  }
  /** Without a password that may stand in it. */
  #shown(path = ''): string {
    const url = new URL(path, this.#base);
    url.username = '';
    url.password = '';
    return url.href;
  }
  #inWords(error: unknown, url: string): unknown {
    if (this.#signal?.aborted) return bootloaderErrors.make('Cancelled');
    if (!(error instanceof Error) || error.name === 'ContractError') return error;
    const cause = error.cause instanceof Error ? error.cause.message : error.message;
    return nothing(`${url} cannot be fetched: ${cause}`, error);
  }
}

/** A body piece by piece; a server that falls silent is given up. */
async function* pieces(response: Response, url: string): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(nothing(`${url}: nothing came for ${silenceMs / 1000} s`)), silenceMs);
    });
    try {
      const { done, value } = await Promise.race([reader.read(), silence]);
      if (done) return;
      yield value;
    } finally {
      clearTimeout(timer);
    }
  }
}
