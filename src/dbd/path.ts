/** Paths of the database: names between slashes; empty ones count for nothing, so `/a//b/` is `a/b`. */

export class PathError extends Error {
  override readonly name = 'PathError';
}
const longest = 4096;
const deepest = 100;

/** The names of a path; none for the root. PathError: too long or too deep. */
export function namesOf(path: string): string[] {
  if (path.length > longest) throw new PathError(`a path of ${path.length} characters; at most ${longest} are allowed`);
  const names = path.split('/').filter((name) => name !== '');
  if (names.length > deepest) throw new PathError(`${path}: more than ${deepest} names deep`);
  return names;
}
/** `/` for the root. */
export const pathOf = (names: readonly string[]): string => `/${names.join('/')}`;
