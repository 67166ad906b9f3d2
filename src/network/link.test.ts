import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPhysical, toLink } from './link.ts';

const eth0 = { ifname: 'eth0', address: '02:00:00:00:00:01', mtu: 1500, flags: ['BROADCAST', 'UP', 'LOWER_UP'] };

test('a network card is told from what was made on the host, whether ip writes words or numbers', () => {
  const physical = (raw: Parameters<typeof toLink>[0]) => {
    const link = toLink(raw);
    return link && isPhysical(link);
  };
  for (const link_type of ['ether', '[1]', '1', 1]) {
    assert.equal(physical({ ...eth0, link_type }), true, String(link_type));
    assert.equal(physical({ ...eth0, link_type, linkinfo: { info_kind: 'bridge' } }), false);
  }
  for (const link_type of ['loopback', '[772]', 772]) assert.equal(physical({ ...eth0, link_type }), false);
  assert.equal(toLink({}), undefined);
});
