/** Types of the JavaScript modules that tests import. @module */

declare module "*/lib/code-blocks.mjs" {
  interface CodeBlock {
    readonly code: string;
    readonly language: string;
    readonly line: number;
  }
  export function codeBlocks(page: string, languages: readonly string[]): CodeBlock[];
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

declare module "*/lib/branches.mjs" {
  interface Place {
    readonly start?: { readonly line: number };
  }
  interface CoveredFile {
    readonly file: string;
    readonly lines: readonly string[];
    readonly coverage: {
      readonly branchMap: Readonly<Record<string, { readonly loc: Place; readonly locations: readonly Place[] }>>;
      readonly b: Readonly<Record<string, readonly number[]>>;
    };
  }
  interface Untaken {
    readonly file: string;
    readonly number: number;
    readonly line: string;
  }
  interface Named {
    readonly file: string;
    readonly line: string;
    readonly branches?: number;
    readonly reason: string;
  }
  export function untakenBranches(file: CoveredFile): Untaken[];
  export function unnamedBranches(untaken: readonly Untaken[], named: readonly Named[]): Untaken[];
  export function entriesWithoutBranch(untaken: readonly Untaken[], named: readonly Named[]): Named[];
  export function tallyByPackage(
    files: readonly CoveredFile[],
  ): { readonly name: string; readonly total: number; readonly taken: number }[];
}
