/** Commands typed on a guest's serial console, and what they print. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

/** The folder of a VM's domain on the host in `data`. */
export const domainOf = (data: string, vm: string): string => join(data, 'domains', vm);
export const consoleLog = (data: string, vm: string): string => join(domainOf(data, vm), 'console.log');

/** Runs a command in the shell of the guest whose domain has this folder; its console must be at a prompt. */
export async function inGuest(folder: string, command: string): Promise<string> {
  const mark = randomUUID().slice(0, 8);
  // The marks are put together by the shell, so that the echo of what is typed does not hold them.
  const typed = `echo '<'${mark}; ${command}; echo ${mark}'>'\n`;
  const socket = connect(join(folder, 'console'), () => socket.write(typed));
  socket.resume();
  try {
    for (const deadline = Date.now() + 120_000; ; ) {
      const said = readFileSync(join(folder, 'console.log'), 'latin1');
      const [from, to] = [said.indexOf(`<${mark}\r`), said.indexOf(`${mark}>`)];
      if (from >= 0 && to >= 0)
        return said
          .slice(from + mark.length + 1, to)
          .replaceAll('\r', '')
          .trim();
      if (Date.now() > deadline) throw new Error(`the guest did not answer: ${said.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    socket.destroy();
  }
}
/** Answers when `f` holds. */
export async function eventually(what: string, f: () => boolean | Promise<boolean>, withinMs = 120_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; !(await f()); ) {
    if (Date.now() > deadline) throw new Error(`it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
