/** The first guest of `--demo`: made once from "Tiny Linux", started, and awaited until it says READY on its console. */
import { createConnection } from 'node:net';
import type { Log } from '../base/log.ts';
import { nullRef } from '../datamodel/dsl.ts';
import type { RunningHouse } from './join.ts';

const mark = 'guesthouse-demo';
const name = 'demo';
export interface Demo {
  readonly name: string;
  readonly uuid: string;
}

const refOf = ({ db }: RunningHouse) =>
  [...db.rows('VM')].find(([, vm]) => mark in vm.other_config && !vm.is_a_template)?.[0];

/** The demo VM as it is; null when the user has deleted it. */
export function findDemo(house: RunningHouse): Demo | null {
  const ref = refOf(house);
  return ref ? { name, uuid: house.db.get('VM', ref).uuid } : null;
}

/** Finds or makes the demo VM, starts it if it does not run, and answers when it is up. `seconds` bounds the wait. */
export async function bootDemo(
  house: RunningHouse,
  log: Log,
  say: (text: string) => void,
  seconds = 180,
): Promise<Demo> {
  const { db } = house;
  const ref = refOf(house) ?? (await make(house));
  const { uuid, power_state } = db.get('VM', ref);
  if (power_state === 'Running') return { name, uuid };
  say('booting the demo guest');
  if (power_state === 'Paused') await house.root('VM.unpause', ref);
  else {
    await house.root(power_state === 'Suspended' ? 'VM.resume' : 'VM.start', ref, true, false);
    const said = heard(house, uuid, 'READY', seconds);
    await house.root('VM.unpause', ref);
    if (power_state === 'Halted') await said;
    else said.catch((error: unknown) => log.debug('a resumed guest says nothing', { error: String(error) }));
  }
  return { name, uuid };
}

async function make(house: RunningHouse): Promise<string> {
  const { db } = house;
  const template = db.byName('VM', 'Tiny Linux')[0];
  if (!template) throw new Error('the template "Tiny Linux" is missing: run npm run setup, which builds its kernel');
  const ref = (await house.root('VM.clone', template, name)) as string;
  await house.root('VM.provision', ref);
  await house.root('VM.add_to_other_config', ref, mark, 'true');
  const network = [...db.rows('network')].find(([, n]) => n.other_config['automatic'] === 'true')?.[0];
  if (network && db.get('VM', ref).VIFs.length === 0) {
    const vif = {
      device: '0',
      network,
      VM: ref,
      MAC: '',
      MTU: 1500,
      other_config: {},
      qos_algorithm_type: '',
      qos_algorithm_params: {},
    };
    await house.root('VIF.create', vif);
  }
  await house.root('VM.set_affinity', ref, nullRef);
  return ref;
}

/** Resolves when `word` stands on a line of the guest's serial console. */
async function heard(house: RunningHouse, uuid: string, word: string, seconds: number): Promise<void> {
  const { state } = await house.xenops.vm.stat({ id: uuid });
  const path = state.consoles.find((c) => c.protocol === 'vt100')?.socket;
  if (!path) throw new Error('the demo guest has no serial console');
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let text = '';
    const timer = setTimeout(
      () => end(new Error(`the demo guest did not say ${word} within ${seconds} s; its last line: ${lastLine(text)}`)),
      seconds * 1000,
    );
    const end = (error?: Error) => {
      clearTimeout(timer);
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text = (text + piece).slice(-65_536);
      if (new RegExp(`^${word}\\r?$`, 'm').test(text)) end();
    });
    socket.on('error', end);
    socket.on('close', () =>
      end(
        new Error(`the console of the demo guest was closed before it said ${word}; its last line: ${lastLine(text)}`),
      ),
    );
  });
}

const lastLine = (text: string): string => JSON.stringify(text.trimEnd().split('\n').at(-1)?.trim() ?? '');
