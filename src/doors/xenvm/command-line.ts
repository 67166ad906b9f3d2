/** `xenvm-cmd`: one command to the xenvm of a VM. */
import { isUuid } from '../../base/ids.ts';
import { sendCommand } from './socket.ts';

const usage = `Usage: xenvm-cmd [--use-socket] [--reply-timeout SECONDS] UUID COMMAND [KEY=VALUE ...]
       xenvm-cmd UUID help    shows the commands
`;
export interface CommandLine {
  readonly uuid: string;
  readonly method: string;
  readonly params: Readonly<Record<string, string>>;
  readonly timeoutS: number;
}
const force = (word = ''): Record<string, string> => (word === 'force' ? { forced: 'true' } : {});
const given = (key: string, value: string | undefined): Record<string, string> => (value ? { [key]: value } : {});
const fileOf = (file: string | undefined) => given('file', file);
/** Commands in the old way, as a line of words. */
const lines: Readonly<
  Record<string, (words: readonly string[]) => { method?: string; params: Record<string, string> }>
> = {
  halt: ([word]) => ({ params: force(word) }),
  shutdown: ([word]) => ({ params: force(word) }),
  reboot: ([word]) => ({ params: force(word) }),
  restart: ([word]) => ({ params: force(word) }),
  suspend: ([first, second]) => ({ params: first === 'live' ? { live: 'true', ...fileOf(second) } : fileOf(first) }),
  restore: ([file]) => ({ params: fileOf(file) }),
  'restore-no-del': ([file]) => ({ method: 'restore', params: { ...fileOf(file), delete: 'false' } }),
  checkpoint: ([file]) => ({ params: fileOf(file) }),
  'read-config': ([path]) => ({ params: given('path', path) }),
  trigger: (words) => ({ params: given('params', words.join(' ')) }),
  device: ([type, cmd, ...extra]) => ({
    params: { ...given('type', type), ...given('cmd', cmd), ...given('extra', extra.join(' ')) },
  }),
};
/** Throws an Error that says what is wrong. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const rest = [...args];
  let timeoutS = 60;
  while (rest[0]?.startsWith('-')) {
    const word = rest.shift() ?? '';
    if (word === '--use-socket') continue;
    if (word !== '--reply-timeout') throw new Error(`there is no option ${word}`);
    const text = rest.shift() ?? '';
    timeoutS = Number(text);
    if (!/^[0-9]{1,7}$/.test(text) || timeoutS === 0)
      throw new Error(`--reply-timeout: "${text}" is no number of seconds`);
  }
  const [uuid = '', command = 'help', ...words] = rest;
  if (!isUuid(uuid)) throw new Error(`"${uuid}" is no UUID`);
  const pairs = words.flatMap((w) => [/^([a-z_-]+)=(.*)$/s.exec(w)]).filter((m) => m !== null);
  const plain = words.filter((w) => !/^[a-z_-]+=/.test(w));
  const line = Object.hasOwn(lines, command) ? lines[command]?.(plain) : undefined;
  if (!line && plain[0] !== undefined) throw new Error(`${command}: "${plain[0]}" is not KEY=VALUE`);
  const params = { ...line?.params, ...Object.fromEntries(pairs.map(([, key, value]) => [key, value])) };
  return { uuid: uuid.toLowerCase(), method: line?.method ?? command, params, timeoutS };
}
export interface Out {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}
/** Answers the exit status. */
export async function xenvmCmd(args: readonly string[], socketOf: (uuid: string) => string, io: Out): Promise<number> {
  let line: CommandLine;
  try {
    line = readCommandLine(args);
  } catch (error) {
    io.err(`error: ${(error as Error).message}\n${usage}`);
    return 1;
  }
  try {
    const text = await sendCommand(socketOf(line.uuid), line.method, line.params, line.timeoutS * 1000);
    if (text !== '') io.out(text.endsWith('\n') ? text : `${text}\n`);
    return 0;
  } catch (error) {
    io.err(`error: ${(error as Error).message}\n`);
    return 1;
  }
}
