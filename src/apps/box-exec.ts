/** `guesthouse box ssh`, `exec` and `push`: into the running box. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BoxPlaces, boxPlaces } from '../box/places.ts';
import { sshCommand } from '../box/ssh.ts';
import { copySources } from '../box/toolstack.ts';
import { Refusal } from './refusal.ts';
import { commandName, shellWord } from './to-type.ts';
import type { Terminal } from './up.ts';
import { root } from './version.ts';

/** The port of the running box's ssh. */
export function sshPortOf(at: BoxPlaces): number {
  if (!existsSync(at.sshPort))
    throw new Refusal(
      `--data ${at.data}: no box runs; start it with: ${commandName('guesthouse')} box up --data ${shellWord(at.data)}`,
    );
  return Number(readFileSync(at.sshPort, 'utf8'));
}

/** With this process's own input and output; answers the command's exit status. */
export function boxExec(o: { data: string; command: readonly string[]; terminal: boolean }): Promise<number> {
  const at = boxPlaces(o.data);
  return run(sshCommand(at, sshPortOf(at), o.command, o.terminal && process.stdin.isTTY === true));
}

/** Sources only, over what the box was started with; the packages stay. */
export async function boxPush({ data }: { data: string }, { say }: Terminal): Promise<number> {
  const at = boxPlaces(data);
  const ssh = sshCommand(at, sshPortOf(at), ['/opt/guesthouse/box/push'], false);
  const folder = mkdtempSync(join(tmpdir(), 'box-push-'));
  try {
    await copySources(root, folder);
    const tar = spawn('tar', ['-c', '-C', folder, '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const status = await run(ssh, tar.stdout);
    if (status === 0) say('box: the program in the box is as it is here, until the box ends');
    return status;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run([program = '', ...args]: readonly string[], input?: NodeJS.ReadableStream): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: [input ? 'pipe' : 'inherit', 'inherit', 'inherit'] });
    child.once('error', (error) => reject(new Refusal(`${program}: ${error.message}; apt-get install openssh-client`)));
    child.once('exit', (code) => resolve(code ?? 1));
    // The other side may end before it has read everything; its status tells.
    child.stdin?.on('error', () => undefined);
    if (child.stdin) input?.pipe(child.stdin);
  });
}
