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

declare module "*/lib/licences.mjs" {
  interface Licensed {
    readonly name: string;
    readonly licence: string;
  }
  export function licenceViolations(shipped: readonly Licensed[], all: readonly Licensed[]): string[];
}

declare module "*/lib/workflows.mjs" {
  export function createWorkflowCheck(scripts: object): Promise<(content: string, file: string) => string[]>;
}
