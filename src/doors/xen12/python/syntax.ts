/** The tree of a settings file. Every node knows where it stands. */
export interface Place {
  readonly line: number;
  readonly column: number;
}
export type Expression = Place &
  (
    | { readonly is: 'constant'; readonly value: string | number | null | boolean }
    | { readonly is: 'name'; readonly name: string }
    | { readonly is: 'list' | 'tuple'; readonly items: readonly Expression[] }
    | { readonly is: 'dict'; readonly items: readonly (readonly [Expression, Expression])[] }
    | {
        readonly is: 'each';
        readonly item: Expression;
        readonly target: Expression;
        readonly of: Expression;
        readonly when?: Expression;
      }
    | { readonly is: 'attribute'; readonly of: Expression; readonly name: string }
    | { readonly is: 'index'; readonly of: Expression; readonly at: Expression }
    | {
        readonly is: 'slice';
        readonly of: Expression;
        readonly from?: Expression | undefined;
        readonly to?: Expression | undefined;
      }
    | {
        readonly is: 'call';
        readonly callee: Expression;
        readonly args: readonly Expression[];
        readonly named: readonly (readonly [string, Expression])[];
      }
    | { readonly is: 'unary'; readonly op: string; readonly of: Expression }
    | { readonly is: 'binary'; readonly op: string; readonly left: Expression; readonly right: Expression }
    | { readonly is: 'compare'; readonly first: Expression; readonly rest: readonly (readonly [string, Expression])[] }
    | { readonly is: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
    | { readonly is: 'choice'; readonly when: Expression; readonly yes: Expression; readonly no: Expression }
    | { readonly is: 'lambda'; readonly parameters: readonly Parameter[]; readonly value: Expression }
  );
export interface Parameter {
  readonly name: string;
  readonly fallback?: Expression;
}
export type Block = readonly Statement[];
export type Statement = Place &
  (
    | { readonly is: 'expression'; readonly value: Expression }
    | { readonly is: 'assign'; readonly targets: readonly Expression[]; readonly value: Expression }
    | { readonly is: 'change'; readonly target: Expression; readonly op: string; readonly value: Expression }
    | { readonly is: 'if'; readonly branches: readonly { readonly when?: Expression; readonly body: Block }[] }
    | { readonly is: 'for'; readonly target: Expression; readonly of: Expression; readonly body: Block }
    | { readonly is: 'while'; readonly when: Expression; readonly body: Block }
    | {
        readonly is: 'try';
        readonly body: Block;
        readonly handlers: readonly { readonly kinds?: Expression; readonly as?: string; readonly body: Block }[];
        readonly otherwise?: Block;
        readonly last?: Block;
      }
    | { readonly is: 'def'; readonly name: string; readonly parameters: readonly Parameter[]; readonly body: Block }
    | { readonly is: 'return'; readonly value?: Expression }
    | { readonly is: 'print'; readonly to?: Expression; readonly items: readonly Expression[]; readonly open: boolean }
    | { readonly is: 'assert'; readonly that?: Expression; readonly message?: Expression }
    | { readonly is: 'raise'; readonly what?: Expression }
    | {
        readonly is: 'import';
        readonly module: string;
        readonly as: string;
        readonly names?: readonly (readonly [string, string])[];
      }
    | { readonly is: 'del'; readonly targets: readonly Expression[] }
    | { readonly is: 'global'; readonly names: readonly string[] }
    | { readonly is: 'pass' | 'break' | 'continue' }
  );
