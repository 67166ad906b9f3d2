/** SR.probe and SR.probe_ext: which repositories a device configuration leads to. */
import type { SR } from '../../datamodel/classes/sr.ts';
import { fail } from '../../datamodel/errors.ts';
import { ask } from '../ask.ts';
import type { Ctx, SomeHandlers } from '../context.ts';
import { assertThisHost } from './host-here.ts';

type ProbeArgs = Parameters<NonNullable<SomeHandlers<typeof SR>['probe']>>[1];

async function find(ctx: Ctx, a: ProbeArgs): Promise<readonly { sr: string; vdis: number }[]> {
  assertThisHost(ctx, a.host);
  return ask(ctx, async (call) => {
    const types = await ctx.storage.sr.types({}, call);
    if (!types.some((t) => t.type === a.type)) throw fail('SR_UNKNOWN_DRIVER', { driver: a.type });
    return ctx.storage.sr.probe({ type: a.type, config: a.device_config }, call);
  });
}

/** `<SRlist><SR><UUID>…</UUID></SR>…</SRlist>`. */
export async function probe(ctx: Ctx, a: ProbeArgs): Promise<string> {
  const found = await find(ctx, a);
  const rows = found.map((f) => `<SR><UUID>${escapeXml(f.sr)}</UUID></SR>`);
  return `<?xml version="1.0" ?><SRlist>${rows.join('')}</SRlist>`;
}
const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Records of the class `probe_result`; a place without a repository gives one, with which an SR can be created. */
export async function probeExt(ctx: Ctx, a: ProbeArgs): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const found = await find(ctx, a);
  const result = (more: Readonly<Record<string, unknown>>) => ({
    configuration: a.device_config,
    complete: true,
    extra_info: {},
    ...more,
  });
  if (found.length === 0) return [result({})];
  return found.map((f) => {
    const there = ctx.db.findByUuid('SR', f.sr);
    const record = there && ctx.db.get('SR', there);
    const sr = {
      uuid: f.sr,
      name_label: record?.name_label ?? '',
      name_description: record?.name_description ?? '',
      free_space: record ? record.physical_size - record.physical_utilisation : 0,
      total_space: record?.physical_size ?? 0,
      clustered: false,
      health: 'healthy',
    };
    return result({ sr, extra_info: { vdis: String(f.vdis) } });
  });
}
