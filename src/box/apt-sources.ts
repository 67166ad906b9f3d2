/** Where this machine gets Debian's packages from: its own entries for its release, security updates with them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BoxProblem } from './problem.ts';

export interface AptSources {
  /** `bookworm` */
  readonly release: string;
  /** In apt's `.sources` form. */
  readonly text: string;
}

/** Reads `root`'s release and sources. Throws a `BoxProblem` when there are none. */
export function aptSources(root = '/'): AptSources {
  const osRelease = readOr(join(root, 'etc/os-release'));
  const release = /^VERSION_CODENAME=["']?([\w-]+)/m.exec(osRelease)?.[1];
  if (!release || !existsSync(join(root, 'etc/apt')))
    throw new BoxProblem(`this machine has no apt with a named release; a box is built on Debian or Ubuntu`);
  const folder = join(root, 'etc/apt/sources.list.d');
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  const stanzas = [
    ...oneLine(readOr(join(root, 'etc/apt/sources.list'))),
    ...files.flatMap((name) => {
      const text = readOr(join(folder, name));
      return name.endsWith('.sources') ? deb822(text) : name.endsWith('.list') ? oneLine(text) : [];
    }),
  ].filter((s) => isOfRelease(s, release));
  if (stanzas.length === 0)
    throw new BoxProblem(
      `apt has no source of packages for ${release}; add one to /etc/apt/sources.list.d/debian.sources`,
    );
  return { release, text: `${stanzas.map(stanzaText).join('\n')}` };
}

interface Stanza {
  readonly uris: string;
  readonly suites: string;
  readonly components: string;
  readonly signedBy: string;
}

const isOfRelease = ({ suites, components }: Stanza, release: string): boolean =>
  components.split(/\s+/).includes('main') &&
  suites
    .split(/\s+/)
    .every((s) => [release, `${release}-updates`, `${release}-security`, `${release}/updates`].includes(s));

const stanzaText = (s: Stanza): string =>
  [
    `Types: deb`,
    `URIs: ${s.uris}`,
    `Suites: ${s.suites}`,
    `Components: ${s.components}`,
    s.signedBy && `Signed-By: ${s.signedBy}`,
  ]
    .filter(Boolean)
    .map((line) => `${line}\n`)
    .join('');

function deb822(text: string): Stanza[] {
  const plain = text.replace(/^#.*\n?/gm, '');
  return plain.split(/\n\s*\n/).flatMap((block) => {
    const field = (name: string) =>
      new RegExp(`^${name}:\\s*(.*(?:\\n[ \\t].*)*)`, 'im').exec(block)?.[1]?.trim().replace(/\s+/g, ' ') ?? '';
    const isOn = !/^no$/i.test(field('Enabled'));
    const [uris, suites] = [field('URIs'), field('Suites')];
    if (!isOn || !uris || !suites || !field('Types').split(' ').includes('deb')) return [];
    // A key that is written in place has more than one line; its keyring is the release's own then.
    const key = field('Signed-By');
    return [{ uris, suites, components: field('Components'), signedBy: key.startsWith('/') ? key : '' }];
  });
}

function oneLine(text: string): Stanza[] {
  return [...text.matchAll(/^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)/gm)].map(
    ([, options = '', uris = '', suites = '', components = '']) => ({
      uris,
      suites,
      components: components.trim(),
      signedBy: /signed-by=(\/\S+)/i.exec(options)?.[1] ?? '',
    }),
  );
}

const readOr = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
