/** The scripts of `xe completion`, loaded by the shells themselves: what the Tab key makes of a line. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { completion } from './completion.ts';

const dir = mkdtempSync(join(tmpdir(), 'guesthouse-completion-'));
const env = { PATH: `${dir}/bin:${process.env['PATH']}`, HOME: dir, TERM: 'dumb', LC_ALL: 'C.UTF-8' };
const has = (shell: string) => spawnSync(shell, ['-c', 'true'], { stdio: 'ignore' }).error === undefined;

before(() => {
  mkdirSync(join(dir, 'bin'));
  // A host with names that a shell must not take for its own words; other lines say what they got.
  writeFileSync(
    join(dir, 'bin/xe'),
    `#!/bin/sh
case "$*" in
  'vm-list params=name-label --minimal is-control-domain=false') printf '%s\\n' 'web,my vm,a\\,b,back\\\\,$(touch expanded)x,web*2' ;;
  *-list\\ params=uuid\\ --minimal) echo "$1-1111,$1-2222" ;;
  *) { printf '%s' "$1"; shift; printf '|%s' "$@"; echo; } >> '${dir}/typed' ;;
esac
`,
    { mode: 0o755 },
  );
  writeFileSync(join(dir, 'disk one.raw'), '');
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(dir, `xe.${shell}`), completion(shell));
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** Types the lines into an interactive bash; answers what each of them ran, its words apart by `|`. */
async function typed(...lines: readonly string[]): Promise<string[]> {
  const input = ["PS1='> '", 'source xe.bash', 'bind "set enable-bracketed-paste off"', ...lines, ''].join('\n');
  // In a session of its own: an interactive shell would take the terminal of whoever runs the tests.
  const bash = spawn('bash', ['--norc', '--noprofile', '-i'], {
    cwd: dir,
    env,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  bash.stdin.end(input);
  await once(bash, 'exit');
  return readFileSync(join(dir, 'typed'), 'utf8').trim().split('\n');
}

test('bash completes commands, parameters, fields, files, and what the host has', async () => {
  const lines: readonly (readonly [string, string])[] = [
    ['xe vm-star\t', 'vm-start|'],
    ['xe vm-unpa\tvm=x', 'vm-unpause|vm=x'],
    ['bin/xe vm-unpa\tvm=x', 'vm-unpause|vm=x'],
    ['xe -s host -u root vm-unpa\tvm=x', '-s|host|-u|root|vm-unpause|vm=x'],
    ['xe vm-start v\tx --fo\t', 'vm-start|vm=x|--force'],
    ['xe vm-param-set uuid=1 other-con\tkey=x', 'vm-param-set|uuid=1|other-config:key=x'],
    ['xe vm-list params=uuid,power-st\t', 'vm-list|params=uuid,power-state'],
    ['xe vm-param-get param-name=power-st\t', 'vm-param-get|param-name=power-state'],
    ['xe help vm-unpa\t', 'help|vm-unpause'],
    ['xe completion z\t', 'completion|zsh'],
    ['xe vdi-import filename=di\t', 'vdi-import|filename=disk one.raw'],
    ['xe host-cpu-param-list uuid=host-cpu-list-2\t', 'host-cpu-param-list|uuid=host-cpu-list-2222'],
    ['xe vdi-create sr-uuid=sr-list-1\t', 'vdi-create|sr-uuid=sr-list-1111'],
    ['xe vm-start vm=my\t', 'vm-start|vm=my vm'],
    ['xe vm-start vm=a\t', 'vm-start|vm=a,b'],
    ['xe vm-start vm=ba\t', 'vm-start|vm=back\\'],
    ['xe vm-start vm=$\t', 'vm-start|vm=$(touch expanded)x'],
  ];
  assert.deepEqual(
    await typed(...lines.map(([line]) => line)),
    lines.map(([, words]) => words),
  );
  assert.equal(existsSync(join(dir, 'expanded')), false, 'a name was run as a command');
});

test('fish completes commands and parameters', { skip: has('fish') ? false : 'fish is not installed' }, () => {
  const lines = ['xe vm-unpa', 'xe vm-start v', 'xe -s host vm-unpa', 'xe completion z'];
  const asked = lines.map((line) => `complete -C '${line}'`).join('; ');
  const out = execFileSync('fish', ['--no-config', '-c', `source xe.fish; ${asked}`], {
    cwd: dir,
    env,
    encoding: 'utf8',
  });
  assert.deepEqual(out.trim().split('\n'), ['vm-unpause', 'vm=', 'vm-unpause', 'zsh']);
});

test('zsh reads its script', { skip: has('zsh') ? false : 'zsh is not installed' }, () => {
  const script = 'autoload -Uz compinit; compinit -u -d zcompdump; source xe.zsh; print -r -- $_comps[xe]';
  const out = execFileSync('zsh', ['-f', '-c', script], { cwd: dir, env, encoding: 'utf8' });
  assert.equal(out.trim(), '_xe');
});
