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

declare module "*/lib/check-tarball.mjs" {
  export function checkTarball(tarball: {
    readonly name: string;
    readonly unpacked: string;
    readonly manifest: { readonly version: string; readonly dependencies: object };
  }): string[];
}

declare module "*/lib/clauses.mjs" {
  interface Clause {
    readonly section: string;
    readonly text: string;
    readonly files?: readonly string[];
    readonly tests?: readonly { readonly file: string; readonly title: string }[];
  }
  export function stateOf(clause: Clause): string;
  export function countKeywords(rfc: string): Record<string, number>;
  export function pageProblems(root: string, page: string): string[];
  export function problemsOf(
    root: string,
    file: {
      readonly counted: "keywords" | "clauses";
      readonly counts: Readonly<Record<string, number>>;
      readonly clauses: readonly Clause[];
    },
  ): string[];
}

declare module "*/lib/licences.mjs" {
  interface Licensed {
    readonly name: string;
    readonly licence: string;
  }
  export function licenceViolations(shipped: readonly Licensed[], all: readonly Licensed[]): string[];
}

declare module "*/lib/test-titles.mjs" {
  export function testTitles(root: string, file: string): string[];
}

declare module "*/lib/workflows.mjs" {
  export function createWorkflowCheck(scripts: object): Promise<(content: string, file: string) => string[]>;
}
