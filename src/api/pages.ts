/** The few HTML pages of the server: what lives at `/`, and errors for those who look with a browser. */
import type { ServerResponse } from 'node:http';

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const html = (text: string): string => text.replace(/[&<>"]/g, (c) => escapes[c] as string);

const page = (title: string, body: string): string =>
  `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>${html(title)}</title></head>\n<body><h1>${html(title)}</h1>\n${body}\n</body></html>\n`;

/** What a browser sees at `/`. */
export const welcome = (version: string, host: string): string =>
  page(
    'Guesthouse',
    `<p>This is a host of virtual machines, version ${html(version)}. It speaks XenAPI:</p>
<ul>
<li>XML-RPC: <code>POST http://${html(host)}/</code></li>
<li>JSON-RPC 1.0 and 2.0: <code>POST http://${html(host)}/jsonrpc</code></li>
<li>command line: <code>xe -s ${html(host.replace(/:\d+$/, ''))} -u root vm-list</code></li>
</ul>
<p>Log in with <code>session.login_with_password("root", PASSWORD)</code>.</p>`,
  );

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Log in',
  403: 'Not allowed',
  404: 'Not found',
  408: 'Too slow',
  413: 'Too large',
  431: 'Headers too large',
  500: 'Cannot be served',
  501: 'Not a method of this path',
  503: 'Busy',
};
export const titleOf = (status: number): string => titles[status] ?? `Status ${status}`;
export const errorPage = (status: number, why: string): string => page(titleOf(status), `<p>${html(why)}</p>`);

/** On every answer: web clients of other origins may call. */
export const cors = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'X-Requested-With',
} as const;

/** How long, in milliseconds, and for how many bytes a client that is refused may go on sending, and how long it may pause. */
const lingerMs = 5000;
const pauseMs = 300;
const lingerBytes = 64 << 20;

/** Answers with an error page and, when bytes of the request were not read, closes the connection after it: but not under a client that sends. */
export function sendError(
  res: ServerResponse,
  status: number,
  why: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const body = Buffer.from(errorPage(status, why));
  if (!res.req.complete) res.setHeader('connection', 'close');
  res.writeHead(status, { ...cors, 'content-type': 'text/html', 'content-length': body.length, ...headers });
  if (res.req.complete) res.end(body);
  else {
    res.write(body);
    linger(res);
  }
}
/** A connection that is closed while bytes come in is reset, and the answer is lost with it: the rest is thrown away for a while. */
function linger(res: ServerResponse): void {
  const { req } = res;
  let left = lingerBytes;
  const stop = () => {
    clearTimeout(timer);
    clearTimeout(pause);
    res.end();
  };
  const timer = setTimeout(stop, lingerMs);
  const pause = setTimeout(stop, pauseMs);
  req.removeAllListeners('data');
  req.once('end', stop).once('close', stop);
  req.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    pause.refresh();
    if (left < 0) stop();
  });
  req.resume();
  req.socket.resume();
}
