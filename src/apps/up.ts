/**
 * `guesthouse up`: a host in the foreground.
 *
 *     lock DIR/run/up.lock ─▶ password ─▶ supervisor (start or find) ─▶ house (start, or find with the same options)
 *       ─▶ house.ready ─▶ `ready http://…` ─▶ watch over the supervisor ─▶ SIGTERM, SIGINT or `guesthouse down`
 *
 * The hand-over to the house (`apps/house.ts`), a child with the id `house` and `restart: true`:
 *
 * - It is started as `NODE …flags ROOT/src/apps/house.ts --data DIR --listen HOST:PORT --listen-tls HOST:PORT|none
 *   --hypervisor auto|xen|qemu|simulator --store sqlite|etcd://… [--demo]`, with the environment of `up`. Its stdout and stderr
 *   are appended to DIR/log/house.out; its own log is DIR/log/house.log (`openLog` of `apps/logging.ts`).
 * - It reaches the supervisor on DIR/run/supervisor.sock (contract `processes`; the supervisor may be gone for a moment and
 *   come back: `connectContract(…, { onReconnect })` tells, and the processes must then be listed again).
 * - First of all it serves the contract `house` (contracts/house.ts) on DIR/run/house.sock: `info` answers at once, `ready` when
 *   it is, events are lines for the person who waits. What cannot be (a busy port, a damaged database) it says as
 *   `Not_ready` to `ready` and on stderr as one line `guesthouse: why and what to do`, then exits with 1: `up` ends too.
 * - Root's password: when DIR/password.new exists, the house sets root's password to its first line and renames it to
 *   DIR/password; otherwise, when its database has none yet, it takes DIR/password. Both are 0600; `up` makes them.
 * - TERM: it stops answering, leaves the guests running and exits with 0.
 * - `guesthouse down` calls `house.shutdownGuests`, then stops the house and the supervisor with all other children.
 */
export {};
