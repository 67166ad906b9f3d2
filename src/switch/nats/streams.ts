/** What JetStream answers, in the switch's words. */
import { JetStreamApiError, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

/** Of JetStream's API: no such stream, a stream of this name with other settings, no such message, its limits forbid one more. */
export const codes = { noStream: 10059, otherStream: 10058, noMessage: 10043, notStored: 10077 } as const;

export function isCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
/** Nobody listens to the subject: there is no stream for it. */
export function isUnheard(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return [error, cause].some((e) => e instanceof errors.RequestError && e.isNoResponders());
}
/** Undefined: there is none. */
export async function streamInfo(jsm: JetStreamManager, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await jsm.streams.info(stream);
  } catch (error) {
    if (isCode(error, codes.noStream)) return undefined;
    throw error;
  }
}
