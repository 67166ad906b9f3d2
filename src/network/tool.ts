/** Runs a system tool to its end: no shell, a fixed locale, input on stdin. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { networkErrors } from '../contracts/network.ts';

const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  dnsmasq: 'dnsmasq-base',
};
const folders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

/** Absolute path of a tool; undefined when it is not installed. */
export function findTool(tool: string): string | undefined {
  for (const folder of folders) {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return join(folder, tool);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }
  return undefined;
}
export const missingTool = (tool: string): string => `${tool} is not installed (apt install ${packages[tool] ?? tool})`;

/** Answers what the tool printed on stdout; Tool_failed with its last words otherwise. */
export function runTool(tool: string, args: readonly string[], input = ''): Promise<string> {
  const path = findTool(tool);
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(networkErrors.make('Tool_failed', { tool, reason }));
    if (!path) return fail(missingTool(tool));
    const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { LC_ALL: 'C' }, cwd: '/' });
    let out = '';
    let words = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-2000);
    });
    // A tool that ends before it has read its input says why on stderr.
    child.stdin.on('error', () => undefined).end(input);
    child.on('error', (error) => fail(error.message));
    child.on('close', (code, how) => {
      if (code === 0) resolve(out);
      else fail(words.trim() || `it ended with ${how ?? `status ${code}`}`);
    });
  });
}
