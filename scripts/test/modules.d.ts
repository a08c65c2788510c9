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

interface FuzzCounters {
  readonly steps: number;
}

interface LoadedTarget {
  readonly name: string;
  /** the folder of its crashes */
  readonly folder: string;
  seeds(): readonly Uint8Array[];
  run(input: Uint8Array): void | Promise<void>;
}

declare module "*/lib/fuzz/load.mjs" {
  export function loadTargets(): Promise<{
    readonly targets: readonly LoadedTarget[];
    readonly counters: FuzzCounters;
  }>;
  export function loadWithCounters<Name extends string>(
    entries: readonly { readonly name: Name; readonly file: string }[],
    root?: string,
  ): Promise<{
    readonly module: Readonly<Record<Name, { readonly targets: readonly LoadedTarget[] }>>;
    readonly counters: FuzzCounters;
  }>;
}

declare module "*/lib/fuzz/fuzzer.mjs" {
  interface Crash {
    readonly input: Uint8Array;
    readonly problem: string;
  }
  export class Fuzzer {
    constructor(
      target: LoadedTarget,
      counters: FuzzCounters,
      options: { readonly seed: string; readonly dictionary: readonly Uint8Array[] },
    );
    begin(): Promise<Crash | undefined>;
    run(count: number): Promise<Crash | undefined>;
  }
  export function runOnce(target: LoadedTarget, counters: FuzzCounters, input: Uint8Array): Promise<string | undefined>;
}

declare module "*/lib/fuzz/linear.mjs" {
  export function findSuperlinear(
    target: LoadedTarget,
    counters: FuzzCounters,
    attempts: number,
  ): Promise<readonly object[]>;
}

declare module "*/lib/fuzz/state-tables.mjs" {
  interface ExploredTransition {
    readonly from: string;
    readonly input: string;
    readonly outcome: string;
  }
  interface Explored {
    readonly role: string;
    readonly found: {
      readonly depth: number;
      readonly states: ReadonlyMap<string, readonly string[]>;
      readonly transitions: readonly ExploredTransition[];
    };
  }
  export function exploreStates(): Promise<{
    readonly page: string;
    readonly violations: readonly string[];
    readonly roles: readonly Explored[];
    readonly rules: {
      ruleFor(role: string, state: string, input: string): object;
      allows(rule: object, outcome: string): boolean;
    };
    readonly isMessage: (transition: ExploredTransition) => boolean;
  }>;
}
