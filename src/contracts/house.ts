/** The house, the process that joins all rooms, as `guesthouse up`, `down` and `status` see it: on DIR/run/house.sock. */
import { type Api, contract, errorsOf, method } from './contract.ts';
import { type Shape, s } from './schema.ts';

const demo = s.object({
  /** Name label and UUID of the demo guest. */
  name: s.string,
  uuid: s.string,
});
const ready = s.object({
  /** Plain HTTP, `http://127.0.0.1:8080`. */
  url: s.string,
  /** Null when TLS is off. */
  tlsUrl: s.nullable(s.string),
  /** The hypervisor in use, and how: `qemu`, `tcg`. */
  hypervisor: s.string,
  accelerator: s.string,
  /** With `--demo`, once the guest has said READY. */
  demo: s.nullable(demo),
});
const info = s.object({
  pid: s.int,
  version: s.string,
  /** Seconds since the epoch. */
  startedAt: s.int,
  /** Null until it is ready. */
  ready: s.nullable(ready),
  /** Guests that run now. */
  running: s.size,
});

export const houseContract = contract({
  name: 'house',
  methods: {
    house: {
      info: method('Who the house is and how far it is; answered from the first moment.', s.object({}), info),
      ready: method(
        'Answers once sockets answer and the default objects exist (with `--demo`: once the guest has said READY). Fails with Not_ready when that cannot be.',
        s.object({}),
        ready,
      ),
      shutdownGuests: method(
        'Refuse new starts, shut every guest down in order, by force after `timeoutS` each, and take down what was made for them (networks, taps).',
        s.object({ timeoutS: s.number }),
        s.object({ /** Guests that were shut down. */ stopped: s.size }),
      ),
    },
  },
  /** Something that a person who waits wants to read: `creating the default storage`. */
  event: s.object({ event: s.literal('progress'), text: s.string }),
});
export type House = Api<typeof houseContract>;
export type HouseInfo = Shape<typeof info>;
export type HouseReady = Shape<typeof ready>;

export const houseErrors = errorsOf({
  /** `reason` says what is wrong and what to do, as it is shown to the user. */
  Not_ready: '{reason}',
});
