/** Installers over HTTP: found by the layouts of distributions, fetched by a confined `curl` with limits on size and time. */
import type { FileHandle } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { confined, type Ended, type User } from './confine.ts';
import { type Candidate, candidates, type Hints, treeInfoCandidate } from './layouts.ts';
import { nothing } from './menu.ts';

/** Seconds: to be connected, without a byte, for something small, for all of a file. */
const connectS = 20;
const silenceS = 30;
const smallS = 60;
const wholeS = 15 * 60;
const smallFile = 1 << 20;
/** No file is refused for its length before its own limit is known. */
const wholeFile = Number.MAX_SAFE_INTEGER;
/** curl's exit status for an answer of 400 or more, with `--fail`. */
const refusedByServer = /^curl: \(22\)/;

export interface RepositoryOptions {
  readonly address: string;
  /** Whom `curl` runs as. */
  readonly user: User | undefined;
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

export class Repository {
  readonly #base: URL;
  readonly #o: RepositoryOptions;

  /** Refuses what is no address of a web server. */
  constructor(o: RepositoryOptions) {
    const { address } = o;
    const url = URL.parse(address.endsWith('/') ? address : `${address}/`);
    if (!url || !/^https?:$/.test(url.protocol)) {
      throw nothing(
        `the install repository ${JSON.stringify(address)} is no address that begins with http:// or https://, nor cdrom`,
      );
    }
    this.#base = url;
    this.#o = o;
  }
  /** Its address for people. */
  get shown(): string {
    return this.#shown();
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
    const got = await this.#curl(path, ['--fail', '--max-time', String(wholeS)], {
      output: limit,
      timeoutMs: (wholeS + 10) * 1000,
      to: to.fd,
    });
    if (!got.ok) throw this.#refuse(path, got.words);
  }
  async #text(path: string): Promise<string | undefined> {
    const got = await this.#curl(path, ['--fail', '--max-time', String(smallS)], small);
    if (got.ok) return got.out;
    if (refusedByServer.test(got.words)) return undefined;
    throw this.#refuse(path, got.words);
  }
  async #isThere(path: string): Promise<boolean> {
    // The answer says how long the file is, which curl would take for what is to come.
    const got = await this.#curl(path, ['--fail', '--head', '--max-time', String(smallS)], {
      ...small,
      file: wholeFile,
    });
    if (!got.ok && !refusedByServer.test(got.words)) throw this.#refuse(path, got.words);
    return got.ok;
  }
  #curl(
    path: string,
    options: readonly string[],
    { file, ...limits }: Pick<Limits, 'output' | 'timeoutMs' | 'to'> & { readonly file?: number },
  ): Promise<Ended> {
    const { user, clock, signal } = this.#o;
    const command = [
      ...['curl', '--disable', '--silent', '--show-error', '--location', '--max-redirs', '10', '--globoff'],
      ...['--proto', '=http,https', '--proto-redir', '=http,https', '--user-agent', 'guesthouse'],
      ...['--connect-timeout', String(connectS), '--speed-limit', '1', '--speed-time', String(silenceS)],
      ...['--max-filesize', String(file ?? limits.output), ...options, '--config', '-'],
    ];
    // The address may hold a password: it is not shown to whoever lists processes.
    const input = `url = "${new URL(path, this.#base).href.replace(/["\\\s]/g, encodeURIComponent)}"\n`;
    return confined(command, { ...limits, input, user, clock, signal });
  }
  #refuse(path: string, words: string): Error {
    return nothing(`${this.#shown(path)} cannot be fetched: ${words.replace(/^curl: \(\d+\) /, '')}`);
  }
  /** Without a password that may stand in it. */
  #shown(path = ''): string {
    const url = new URL(path, this.#base);
    url.username = '';
    url.password = '';
    return url.href;
  }
}
type Limits = Parameters<typeof confined>[1];
const small = { output: smallFile, timeoutMs: (smallS + 10) * 1000 };
