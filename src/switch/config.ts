/** The daemon's configuration file: an s-expression of settings, `((path /run/sock) (statedir /var/lib/x))`; `;` begins a comment. */
export interface SwitchConfig {
  readonly path?: string | undefined;
  readonly statedir?: string | undefined;
  readonly pidfile?: string | undefined;
}
const keys = ['path', 'statedir', 'pidfile'] as const;
/** Settings that the reference's daemon has and that mean nothing here. */
const ignored = ['daemonize', 'configfile', 'ip', 'port', 'ipaddr'];

interface Token {
  readonly text: string;
  readonly at: number;
}
/** Throws `FILE:LINE:COLUMN: key: why`. */
export function parseSwitchConfig(file: string, text: string): SwitchConfig {
  const tokens = [...text.matchAll(/;[^\n]*|\s+|[()]|"(?:[^"\\]|\\.)*"|[^\s()";]+|"/g)]
    .map((m): Token => ({ text: m[0], at: m.index }))
    .filter(({ text: t }) => !/^(?:;|\s)/.test(t));
  let i = 0;
  const next = (): Token => tokens[i++] ?? { text: '', at: text.length };
  const fail = ({ at }: Token, key: string, why: string): never => {
    const lines = text.slice(0, at).split('\n');
    throw new Error(`${file}:${lines.length}:${(lines.at(-1)?.length ?? 0) + 1}: ${key}: ${why}`);
  };
  const expect = (t: string, key: string): void => {
    const token = next();
    if (token.text !== t)
      fail(token, key, `"${t}" is expected, not ${token.text === '' ? 'the end' : `"${token.text}"`}`);
  };
  const config: Record<string, string> = {};
  expect('(', 'settings');
  while (tokens[i]?.text === '(') {
    next();
    const key = next();
    const value = next();
    if (/^[()"]?$/.test(value.text)) fail(value, key.text, 'a value is expected');
    const plain = value.text.startsWith('"') ? value.text.slice(1, -1).replace(/\\(.)/g, '$1') : value.text;
    if (keys.includes(key.text as 'path')) config[key.text] = plain;
    else if (!ignored.includes(key.text)) fail(key, key.text, `there is no such setting; there are ${keys.join(', ')}`);
    expect(')', key.text);
  }
  expect(')', 'settings');
  const rest = next();
  if (rest.text !== '') fail(rest, 'settings', `nothing is expected after the last ")", not "${rest.text}"`);
  return config;
}
