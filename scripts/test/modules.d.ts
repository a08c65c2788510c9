/** Types of the JavaScript modules that tests import. @module */

declare module "*/lib/changelog.mjs" {
  export function nextVersion(current: string, step: string): string;
  export function notesOf(changelog: string, version: string): string;
  export function releaseNotes(
    changelog: string,
    release: { readonly version: string; readonly date: string; readonly homepage: string },
  ): string;
}
