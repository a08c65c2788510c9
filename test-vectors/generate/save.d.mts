/** Types of `save.mjs`. */
export interface Source {
  readonly name: string;
  readonly version: string;
  readonly command: string;
  readonly licence: string;
}

export function save(file: {
  readonly kind: string;
  readonly algorithm: string;
  readonly header?: readonly string[];
  readonly sources: Readonly<Record<string, Source>>;
  readonly vectors: readonly { readonly comment: string; readonly source: string }[];
  readonly shared?: object;
}): number;
