/** A `qemu-nbd` for one image and one client: it ends with its client, and with us. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { storageErrors } from '../contracts/storage.ts';
import { removeFile } from './durable.ts';
import { NbdClient } from './nbd.ts';
import type { Format } from './qemu-img.ts';
import { boundCommand, toolEnvironment, toolFailed } from './tool.ts';

export interface ServedImage {
  readonly client: NbdClient;
  /** Says goodbye and answers when the image is closed. */
  close(): Promise<void>;
  /** Answers when it is gone, whatever it was doing. */
  kill(): Promise<void>;
}

function spawnServer(image: Image, socket: string) {
  const mode = image.readOnly ? ['--read-only'] : ['--discard=unmap'];
  const args = [`--socket=${socket}`, `--format=${image.format}`, '--cache=writeback', ...mode, '--', image.path];
  const [command, line] = boundCommand('qemu-nbd', args);
  const child = spawn(command, line, { stdio: ['ignore', 'ignore', 'pipe'], env: toolEnvironment(), cwd: '/' });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  let ended: Error | undefined;
  const end = new Promise<void>((resolve) => {
    const stop = (reason: string) => {
      ended ??= toolFailed('qemu-nbd', words.trim() || reason);
      resolve();
    };
    child.on('error', (error) => stop(error.message)).on('close', (code, how) => stop(`it ended with ${how ?? code}`));
  });
  return { child, ended: () => ended, end, words: () => words };
}
interface Image {
  readonly path: string;
  readonly format: Format;
  readonly readOnly: boolean;
}

/** Serves an image on the unix socket `socket` for one client, whoever comes; it ends with that one, or when it is killed. */
export async function serveOne(image: Image, socket: string, clock: Clock) {
  const { child, ended, end } = spawnServer(image, socket);
  const kill = async () => {
    child.kill('SIGKILL');
    await end;
    await removeFile(socket);
  };
  const until = clock.now() + 10_000;
  for (let pause = 2; !existsSync(socket); pause = Math.min(50, pause * 2)) {
    const failure = ended();
    if (failure) throw failure;
    if (clock.now() > until) {
      await kill();
      throw storageErrors.make('Tool_failed', { tool: 'qemu-nbd', reason: 'it does not answer within 10 s' });
    }
    await clock.sleep(pause);
  }
  return { end, kill };
}

/** Serves `path` on the unix socket `socket` (which must not exist) and connects to it. */
export async function serveImage(image: Image, socket: string, clock: Clock): Promise<ServedImage> {
  const { child, ended, end, words } = spawnServer(image, socket);
  const kill = async () => {
    child.kill('SIGKILL');
    await end;
    await removeFile(socket);
  };
  try {
    const client = await patiently(clock, ended, socket);
    const close = async () => {
      await client.disconnect();
      await end;
      await removeFile(socket);
      if (child.exitCode !== 0)
        throw ended() ?? storageErrors.make('Tool_failed', { tool: 'qemu-nbd', reason: words() });
    };
    return {
      client,
      close,
      async kill() {
        client.destroy();
        await kill();
      },
    };
  } catch (error) {
    await kill();
    throw error;
  }
}

/** Connects as soon as the server is ready: within 10 s, or until it ends, which says more than a broken connection. */
async function patiently(clock: Clock, ended: () => Error | undefined, socket: string): Promise<NbdClient> {
  const until = clock.now() + 10_000;
  let last = 'there is no socket';
  for (let pause = 2; clock.now() < until; pause = Math.min(50, pause * 2)) {
    const failure = ended();
    if (failure) throw failure;
    if (existsSync(socket)) {
      try {
        return await NbdClient.connect(socket);
      } catch (error) {
        last = String(error);
      }
    }
    await clock.sleep(pause);
  }
  throw storageErrors.make('Tool_failed', { tool: 'qemu-nbd', reason: `it does not answer within 10 s: ${last}` });
}
