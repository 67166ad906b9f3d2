/** Debian's xl, asked how it understands a file (`xl -N create`), on a machine that need not run Xen. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const program = (): string | undefined =>
  existsSync('/usr/lib')
    ? readdirSync('/usr/lib')
        .filter((name) => /^xen-[0-9.]+$/.test(name))
        .map((name) => `/usr/lib/${name}/bin/xl`)
        .find((path) => existsSync(path))
    : undefined;

/** Why it cannot be asked; undefined: it can. */
export function cannotDryRun(): string | undefined {
  if (!program()) return 'xl is not installed (Debian: xen-utils-4.17)';
  const compiler = ['/usr/bin/gcc', '/usr/include/string.h'].every((path) => existsSync(path));
  return compiler ? undefined : 'there is no C compiler, which builds what xl runs on here (Debian: gcc, libc6-dev)';
}
export type Json = { readonly [key: string]: unknown };
/** How xl understands a file, or what it says against it. */
export type Understood = { readonly json: Json } | { readonly refusal: string };

export class DryRun implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'gh-xl-'));
  readonly #stub = join(this.#folder, 'stub.so');
  #files = 0;

  constructor() {
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-w', '-o', this.#stub, join(import.meta.dirname, 'stub.c')]);
  }
  ask(text: string): Promise<Understood> {
    const file = join(this.#folder, `${this.#files++}.cfg`);
    writeFileSync(file, text);
    const env = { ...process.env, LD_PRELOAD: this.#stub };
    return new Promise((resolve, reject) => {
      execFile(program() ?? '', ['-N', 'create', file], { env, maxBuffer: 1 << 24 }, (error, out, err) => {
        rmSync(file);
        const said = err.replace(/^Parsing config from.*\n/, '').trim();
        if (!error) resolve({ json: JSON.parse(out) as Json });
        else if (typeof error.code === 'number') resolve({ refusal: said });
        else
          reject(new Error(`xl ended by ${error.signal ?? error.code} on ${JSON.stringify(text)}`, { cause: error }));
      });
    });
  }
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
