/** Rows as they may leave the host: without passwords and keys. For exports and bug reports. */

const secretName = /pass(word|wd|phrase)|secret|token|private.?key|credential/i;

/**
 * A copy in which every text under a telling key (`chappassword`, `client_secret`), at any depth, is empty, and the value of
 * every object of class `secret` too. References to secrets stay: they tell nothing.
 */
export function withoutSecrets(table: string, row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const open = cleared(row) as Record<string, unknown>;
  if (table === 'secret' && typeof open.value === 'string') open.value = '';
  return open;
}
function cleared(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cleared);
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => {
      if (typeof v !== 'string') return [k, cleared(v)];
      return [k, secretName.test(k) && !v.startsWith('OpaqueRef:') ? '' : v];
    }),
  );
}
