import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rightsTrouble, tapTrouble } from './rights.ts';

const status = (uid: number, effective: string) =>
  `Name:\tnode\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nCapEff:\t${effective}\n`;

test('root may change the network, unless a container keeps that from it', () => {
  assert.equal(rightsTrouble(status(0, '000001ffffffffff')), '');
  assert.match(rightsTrouble(status(0, '00000000a80425fb')), /CAP_NET_ADMIN.*--cap-add/);
});

test('others need root', () => {
  assert.equal(rightsTrouble(status(1000, '0000000000001000')), 'root');
});

test('what this machine says can be read', () => {
  assert.equal(typeof rightsTrouble(), 'string');
});

test('a container without the device for taps is told how to get it', () => {
  assert.equal(tapTrouble('/dev/null'), '');
  assert.match(tapTrouble('/dev/net/none'), /missing.*--device \/dev\/net\/none/);
});
