/** A client's XML-RPC, written apart from the server's codec so that the two check each other. */
const escaped = (s: string) => s.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function value(v: unknown): string {
  if (typeof v === 'string') return `<value><string>${escaped(v)}</string></value>`;
  if (typeof v === 'boolean') return `<value><boolean>${v ? 1 : 0}</boolean></value>`;
  if (typeof v === 'number') return `<value><string>${v}</string></value>`;
  if (Array.isArray(v)) return `<value><array><data>${v.map(value).join('')}</data></array></value>`;
  const members = Object.entries(v as object).map(([k, x]) => `<member><name>${escaped(k)}</name>${value(x)}</member>`);
  return `<value><struct>${members.join('')}</struct></value>`;
}

export function encodeXmlRpcCall(method: string, params: readonly unknown[]): string {
  const list = params.map((p) => `<param>${value(p)}</param>`).join('');
  return `<?xml version="1.0"?><methodCall><methodName>${escaped(method)}</methodName><params>${list}</params></methodCall>`;
}

const plain = (s: string) =>
  s
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');

/** The value of the single parameter of a response. Ints stay text, as the server sends them without a type. */
export function decodeXmlRpcResponse(text: string): unknown {
  const tokens = [...text.matchAll(/<(\/?)([\w.]+)\s*(\/?)>|([^<]+)/g)];
  let i = tokens.findIndex((t) => t[2] === 'value');
  const at = () => tokens[i];
  const tag = () => (at()?.[2] ? `${at()?.[1]}${at()?.[2]}${at()?.[3]}` : undefined);
  const take = (expected: string) => {
    if (tag() !== expected) throw new Error(`expected <${expected}>, found ${at()?.[0]}`);
    i++;
  };
  const words = () => {
    const t = at()?.[4];
    if (t === undefined) return '';
    i++;
    return plain(t);
  };
  const parse = (): unknown => {
    if (tag() === 'value/') {
      i++;
      return '';
    }
    take('value');
    const inner = tag();
    let out: unknown;
    if (inner === undefined || inner === '/value') out = words();
    else out = typed(inner);
    take('/value');
    return out;
  };
  const typed = (kind: string): unknown => {
    if (kind.endsWith('/')) {
      i++;
      return kind === 'nil/' ? null : '';
    }
    i++;
    let out: unknown;
    if (kind === 'struct') out = struct();
    else if (kind === 'array') out = array();
    else out = kind === 'boolean' ? words() === '1' : words();
    take(`/${kind}`);
    return out;
  };
  const struct = () => {
    const members: Record<string, unknown> = {};
    while (tag() === 'member') {
      i++;
      let name = '';
      if (tag() === 'name/') i++;
      else {
        take('name');
        name = words();
        take('/name');
      }
      members[name] = parse();
      take('/member');
    }
    return members;
  };
  const array = () => {
    if (tag() === 'data/') {
      i++;
      return [];
    }
    take('data');
    const items: unknown[] = [];
    while (tag() !== '/data') items.push(parse());
    i++;
    return items;
  };
  return parse();
}
