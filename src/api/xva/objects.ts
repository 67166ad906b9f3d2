/** Records as a stream tells them, read by the classes that we have: what is not known, or makes no sense, is left out. */
import type { Type } from '../../datamodel/dsl.ts';
import { ApiError, fail } from '../../datamodel/errors.ts';
import { type ClassName, classes, type Rec } from '../../datamodel/index.ts';
import type { Ova, XvaObject } from '../../wire/xva.ts';
import { decodeAs } from '../decode.ts';

/** References in it are names of the stream. */
export type Told<C extends ClassName> = { readonly [F in keyof Rec<C>]?: Rec<C>[F] };

export class Objects {
  readonly #byId: ReadonlyMap<string, XvaObject>;
  constructor({ objects }: Ova) {
    this.#byId = new Map(objects.map((o) => [o.id, o]));
  }
  /** Those of a class, in their order. */
  all<C extends ClassName>(cls: C): readonly { readonly id: string; readonly told: Told<C> }[] {
    return [...this.#byId.values()].filter((o) => o.cls === cls).map((o) => ({ id: o.id, told: told(cls, o) }));
  }
  find<C extends ClassName>(cls: C, id: string | undefined): Told<C> | undefined {
    const object = id === undefined ? undefined : this.#byId.get(id);
    return object?.cls === cls ? told(cls, object) : undefined;
  }
  /** IMPORT_ERROR_FAILED_TO_FIND_OBJECT. */
  get<C extends ClassName>(cls: C, id: string | undefined): Told<C> {
    const found = this.find(cls, id);
    if (!found) throw fail('IMPORT_ERROR_FAILED_TO_FIND_OBJECT', { id: `${cls} ${id}` });
    return found;
  }
}
function told<C extends ClassName>(cls: C, { snapshot }: XvaObject): Told<C> {
  const out: Record<string, unknown> = {};
  const fields = classes[cls]?.fields as Readonly<
    Record<string, { readonly type: Type<unknown>; readonly internal?: boolean }>
  >;
  for (const [name, field] of Object.entries(fields)) {
    const given = Object.hasOwn(snapshot, name) ? snapshot[name] : undefined;
    if (given === undefined || field.internal) continue;
    try {
      out[name] = decodeAs(field.type, given, `${cls}.${name}`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return out as Told<C>;
}
