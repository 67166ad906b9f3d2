/** Command lines of ssh into the box: by its own keys, and nothing of the user's own configuration. */
import type { BoxPlaces } from './places.ts';

function options(at: BoxPlaces, port: number): string[] {
  const set = (name: string, value: string) => ['-o', `${name}=${value}`];
  return [
    ...['-F', 'none', '-p', `${port}`, '-i', at.key],
    ...set('IdentitiesOnly', 'yes'),
    ...set('IdentityAgent', 'none'),
    ...set('UserKnownHostsFile', `"${at.knownHosts}"`),
    ...set('GlobalKnownHostsFile', 'none'),
    ...set('HostKeyAlias', 'box'),
    ...set('StrictHostKeyChecking', 'yes'),
    ...set('PasswordAuthentication', 'no'),
    ...set('LogLevel', 'ERROR'),
    ...set('ControlPath', at.sshControl.replaceAll('%', '%%')),
  ];
}

/** The connection that the others share, for as long as it runs; it carries the box's local socket of XenAPI here. */
export const sshMaster = (at: BoxPlaces, port: number, innerSocket: string): string[] => [
  'ssh',
  ...options(at, port),
  ...[
    '-o',
    'ControlMaster=yes',
    '-o',
    'ConnectTimeout=20',
    '-o',
    'ServerAliveInterval=30',
    '-o',
    'ServerAliveCountMax=10',
  ],
  ...['-o', 'StreamLocalBindMask=0177', '-o', 'StreamLocalBindUnlink=yes', '-o', 'ExitOnForwardFailure=yes'],
  ...['-N', '-L', `${at.xapiSocket}:${innerSocket}`, 'root@127.0.0.1'],
];

/** A command in the box, or a shell when there is none. Through the shared connection when that is there. */
export const sshCommand = (at: BoxPlaces, port: number, command: readonly string[], terminal: boolean): string[] => [
  'ssh',
  ...options(at, port),
  ...['-o', 'ControlMaster=no', '-o', 'ConnectTimeout=60', terminal ? '-t' : '-T', 'root@127.0.0.1'],
  ...(command.length === 0 ? [] : ['--', command.map(quoted).join(' ')]),
];

/** ssh hands one string to the shell over there; each word stays one word. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
