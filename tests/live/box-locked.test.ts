/** Locked and disabled interfaces on netback, on real Xen in a box: what the guest sends is counted before and behind the lock. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { cannotBox, inGuest, type LiveBox, liveBox, ready, tinyLinux } from './box-host.ts';

const skip = cannotBox();

/** Counts packets of the guest's interface with these source addresses: those that it sent, and those that came through to dom0. */
const counters = (name: string, addresses: readonly string[]): string => {
  const rules = addresses.flatMap((address) =>
    ['arp saddr ip', 'ip saddr'].map((from) => `iifname "${name}" ${from} ${address} counter`),
  );
  const chain = (hook: string, priority: number) =>
    `chain ${hook} {\ntype filter hook ${hook} priority ${priority}; policy accept;\n${rules.join('\n')}\n}`;
  return `table bridge seen {\n${chain('prerouting', -300)}\n${chain('input', 0)}\n}\n`;
};
async function seen(b: LiveBox, hook: 'prerouting' | 'input'): Promise<number[]> {
  const { out } = await b.exec(['nft', 'list', 'chain', 'bridge', 'seen', hook]);
  const counts = [...out.toString().matchAll(/counter packets (\d+)/g)].map(([, n]) => Number(n));
  assert.equal(counts.length, 4, out.toString());
  const [ownArp = 0, ownIp = 0, otherArp = 0, otherIp = 0] = counts;
  return [ownArp + ownIp, otherArp + otherIp];
}

test('a locked interface of a guest speaks for its own address only, a disabled one for none', {
  skip,
  timeout: 600_000,
}, async () => {
  await using b = await liveBox();
  const [network] = (await b.call('network.get_by_name_label', 'Guest network')) as string[];
  const bridge = await b.call('network.get_bridge', network);
  const [, gateway = '', subnet] =
    /inet ((\d+\.\d+\.\d+)\.\d+)\/24 /.exec(
      (await b.exec(['ip', '-4', 'addr', 'show', 'dev', String(bridge)])).out.toString(),
    ) ?? assert.fail(`${bridge} has no address`);
  const [own, other] = [`${subnet}.50`, `${subnet}.51`] as const;
  const { vm, uuid } = await tinyLinux(b, 'locked');
  const vif = await b.call('VIF.create', {
    ...{ VM: vm, network, device: '0', MAC: '52:54:00:12:34:56', MTU: 1500 },
    ...{ other_config: {}, qos_algorithm_type: '', qos_algorithm_params: {} },
  });
  await b.call('VM.start', vm, false, false);
  await ready(b, uuid);
  const setUp = `until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done; ip link set eth0 up; ip addr add ${own}/24 dev eth0; ip addr add ${other}/24 dev eth0`;
  const { code, said } = await inGuest(b, uuid, setUp);
  assert.equal(code, 0, said);
  const name = `vif${await b.call('VM.get_domid', vm)}.0`;
  const counting = await b.exec(['nft', '-f', '-'], counters(name, [own, other]));
  assert.equal(counting.code, 0, counting.err);

  let before = { sent: [0, 0], through: [0, 0] };
  /** Whether the gateway answers to each address; that the guest spoke of both, and what came through of it. */
  const pings = async () => {
    const answered = [];
    for (const from of [own, other]) {
      answered.push((await inGuest(b, uuid, `ping -c 2 -W 2 -I ${from} ${gateway}`)).code === 0);
    }
    const now = { sent: await seen(b, 'prerouting'), through: await seen(b, 'input') };
    const more = (key: 'sent' | 'through') => now[key].map((n, i) => n > (before[key][i] ?? 0));
    const result = { answered, sent: more('sent'), through: more('through') };
    before = now;
    return result;
  };
  const outcome = (answered: boolean[]) => ({ answered, sent: [true, true], through: answered });

  assert.deepEqual(await pings(), outcome([true, true]));
  await b.call('VIF.set_ipv4_allowed', vif, [own]);
  await b.call('VIF.set_locking_mode', vif, 'locked');
  assert.deepEqual(await pings(), outcome([true, false]));
  await b.call('VIF.set_locking_mode', vif, 'disabled');
  assert.deepEqual(await pings(), outcome([false, false]));
  await b.call('VIF.set_locking_mode', vif, 'unlocked');
  assert.deepEqual(await pings(), outcome([true, true]));
  await b.call('VM.hard_shutdown', vm);
  const { out } = await b.exec(['nft', 'list', 'tables', 'bridge']);
  assert.equal(out.toString().trim(), 'table bridge seen', 'no rule stays');
});
