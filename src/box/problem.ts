/** What keeps a box from being built or run: the message says what was wrong, with what value, and what to do. */
export class BoxProblem extends Error {
  override readonly name = 'BoxProblem';
}
