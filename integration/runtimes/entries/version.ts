/** The version of a runtime with `process`. @module */

export function nodeVersion(): string {
  const { versions } = process as { readonly versions: Readonly<Record<string, string | undefined>> };
  return versions.bun ?? versions.deno ?? versions.node ?? "?";
}
