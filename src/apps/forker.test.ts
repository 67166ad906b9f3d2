import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '../base/clock.ts';

/** A caller in the language that has descriptors over sockets: prints every answer, then what the program printed. */
const caller = `
import json, os, socket, sys
def send(s, v):
    b = json.dumps(v).encode(); s.sendall(b"%012d" % len(b) + b)
def recv(s):
    def exactly(n):
        d = b""
        while len(d) < n:
            c = s.recv(n - len(d))
            if not c: sys.exit("closed")
            d += c
        return d
    return json.loads(exactly(int(exactly(12))))
path, wish = sys.argv[1], json.loads(sys.argv[2])
s = socket.socket(socket.AF_UNIX); s.connect(path)
out_r, out_w = os.pipe()
ids = ["01234567-89ab-cdef-0123-456789abcde%d" % i for i in range(2)]
send(s, ["Setup", {"cmdargs": [a.replace("FD", ids[1]) for a in wish["args"]], "env": wish.get("env", []),
  "id_to_fd_map": [[ids[0], [1]], [ids[1], []]], "syslog_stdout": {"enabled": False}, "redirect_stderr_to_stdout": False}])
fds = recv(s)[1]["fd_sock_path"]
f = socket.socket(socket.AF_UNIX); f.connect(fds)
for i in wish.get("send", [0, 1]): socket.send_fds(f, [wish.get("names", ids)[i].encode()], [out_w])
f.close(); os.close(out_w)
send(s, "Exec")
first = recv(s)
if wish.get("dontwait"):
    send(s, "Dontwaitpid"); s.close(); print(first[1]); sys.exit(0)
print(json.dumps([first[0], first[1] > 0, recv(s)]))
print(os.read(out_r, 65536).decode(), end="")
`;
const folder = mkdtempSync(join(tmpdir(), 'forker-'));
const socket = join(folder, 'forker.sock');
const script = join(folder, 'caller.py');
let supervisor: ChildProcess;
before(async () => {
  writeFileSync(script, caller);
  const command = join(import.meta.dirname, '../../bin/forkexecd');
  writeFileSync(join(folder, 'c.conf'), '');
  const args = ['--data', folder, '--config', join(folder, 'c.conf'), '--forker', socket];
  supervisor = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => supervisor.stdout!.once('data', resolve));
});
after(async () => {
  const over = new Promise((resolve) => supervisor.once('exit', resolve));
  supervisor.kill('SIGTERM');
  await over;
  rmSync(folder, { recursive: true });
});
function call(wish: object): string {
  const { stdout, stderr } = spawnSync('python3', [script, socket, JSON.stringify(wish)], { encoding: 'utf8' });
  return stdout + stderr;
}
/** What is open and waits in the folder of descriptor sockets. */
const waiting = () => readdirSync(join(folder, 'run')).filter((name) => name.startsWith('fd_'));

test('a program has the descriptors that it was sent, its environment, the folder / and nothing else', () => {
  // No pipeline: the shell would hold its ends for a moment.
  const sh = 'echo "$A|$HOME|$PWD"; echo there >&"$1"; ls /proc/$$/fd; true';
  const told = call({ args: ['/bin/sh', '-c', sh, 'x', 'FD'], env: ['A=b', 'PATH=/usr/bin:/bin'] });
  assert.equal(told, '["Execed", true, ["Finished", ["WEXITED", 0]]]\nb||/\nthere\n0\n1\n2\n3\n');
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.deepEqual(waiting(), []);
});

test('ends: a status, a signal by the number that callers know it by, no such program, not executable', () => {
  const end = (args: string[]) => (JSON.parse(call({ args }).split('\n')[0]!) as [string, boolean, unknown])[2];
  assert.deepEqual(end(['/bin/sh', '-c', 'exit 3']), ['Finished', ['WEXITED', 3]]);
  assert.deepEqual(end(['/bin/sh', '-c', 'kill -9 $$']), ['Finished', ['WSIGNALED', -7]]);
  assert.deepEqual(end(['/none/such']), ['Finished', ['WEXITED', 127]]);
  assert.deepEqual(end(['/etc/passwd']), ['Finished', ['WEXITED', 126]]);
});

test('one that nobody waits for runs on and is reaped', async () => {
  const done = join(folder, 'done');
  const pid = Number(call({ args: ['/bin/sh', '-c', `echo done > ${done}`], dontwait: true }));
  while (!existsSync(done) || existsSync(`/proc/${pid}`)) await systemClock.sleep(5);
});

test('descriptors that were not announced are refused, and none stays open', () => {
  const open = () => readdirSync(`/proc/${supervisor.pid}/fd`).length;
  const first = call({ args: ['/bin/true'], names: ['f1234567-89ab-cdef-0123-456789abcdef'], send: [0] });
  assert.match(first, /closed/);
  const usual = open();
  for (let n = 0; n < 3; n++) {
    call({ args: ['/bin/true'], names: ['f1234567-89ab-cdef-0123-456789abcdef'], send: [0] });
    call({ args: ['/bin/true'], names: ['short'], send: [0] });
    call({ args: ['/bin/true'] });
  }
  assert.ok(open() <= usual + 1, `${usual} descriptors were open, now ${open()}`);
  assert.deepEqual(waiting(), []);
});
