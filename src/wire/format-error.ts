/** What was sent is not what its format says. The message ends a sentence that begins with the name of the format. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}
/** Refuses unless `holds`. */
export function require(holds: boolean, reason: string): asserts holds {
  if (!holds) throw new FormatError(reason);
}
