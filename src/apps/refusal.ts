/** Something that the user asked for and that cannot be: the message says what was wrong, with what value, and what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
