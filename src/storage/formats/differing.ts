/** Where two disks differ. */
import { type DiskSource, extentsOf, inFlight, pieceSize } from './disk.ts';
import { UnitMap } from './unit-map.ts';

type Ahead = { at: number; length: number; datas: Promise<readonly [Buffer, Buffer]> };

/** The units of the first `size` bytes of `a` that are not the same in `b`; what `b` does not have counts as zeroes. */
export async function differing(a: DiskSource, b: DiskSource, size: number, unit: number): Promise<UnitMap> {
  const candidates = new UnitMap(size, pieceSize);
  for (const source of [a, b])
    for await (const { at, length, zero } of extentsOf(source, Math.min(size, source.size)))
      if (!zero) candidates.addRange(at, Math.min(length, size - at));
  const map = new UnitMap(size, unit);
  const ahead: Ahead[] = [];
  const settle = async () => {
    const next = ahead.shift();
    if (!next) return;
    const [left, right] = await next.datas;
    for (let at = 0; at < next.length; at += unit) {
      const same = left.subarray(at, at + unit).equals(right.subarray(at, at + unit));
      if (!same) map.addRange(next.at + at, Math.min(unit, next.length - at));
    }
  };
  for (const i of candidates.units()) {
    const at = i * pieceSize;
    const length = Math.min(pieceSize, size - at);
    const place = a.place?.(at, length);
    if (place !== undefined && place === b.place?.(at, length)) continue;
    const datas = Promise.all([part(a, at, length), part(b, at, length)]);
    datas.catch(() => undefined);
    ahead.push({ at, length, datas });
    if (ahead.length >= inFlight) await settle();
  }
  while (ahead.length > 0) await settle();
  return map;
}
/** Bytes of a disk; zeroes behind its end. */
async function part(source: DiskSource, at: number, length: number): Promise<Buffer> {
  const there = Math.max(0, Math.min(length, source.size - at));
  if (there === length) return source.read(at, length);
  const padded = Buffer.alloc(length);
  if (there > 0) (await source.read(at, there)).copy(padded);
  return padded;
}
