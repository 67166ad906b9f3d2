/** Milliseconds since the epoch as the API writes a datetime: `20260102T03:04:05Z`. */
export const wireTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replaceAll('-', '')}Z`;

/** The reverse; NaN for what is no datetime of ours. */
export const fromWireTime = (text: string): number => Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T/, '$1-$2-$3T'));
