/** Types of the JavaScript modules that tests import. @module */

declare module "*/lib/code-blocks.mjs" {
  interface CodeBlock {
    readonly language: string;
    readonly line: number;
    readonly code: string;
  }
  export function programsOf(page: string): CodeBlock[];
  export function testOf(file: string): string | undefined;
  export function claimedOutput(code: string): string[];
}

declare module "*/lib/changelog.mjs" {
  export function nextVersion(current: string, step: string): string;
  export function notesOf(changelog: string, version: string): string;
  export function releaseNotes(
    changelog: string,
    release: { readonly version: string; readonly date: string; readonly homepage: string },
  ): string;
}
