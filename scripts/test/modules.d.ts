/** Types of the JavaScript modules that tests import. @module */

declare module "*/lib/code-blocks.mjs" {
  interface CodeBlock {
    readonly language: string;
    readonly line: number;
    readonly code: string;
  }
  export function splitPage(page: string): { readonly blocks: CodeBlock[]; readonly text: string };
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
    readonly manifest: { readonly version: string; readonly dependencies?: object };
    readonly bundled?: boolean;
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

declare module "*/lib/mutation/apart.mjs" {
  interface Position {
    readonly line: number;
    readonly column: number;
  }
  interface Change {
    readonly id: string;
    readonly fileName: string;
    readonly location: { readonly start: Position; readonly end: Position };
    readonly replacement: string;
  }
  export function runApart(options: {
    readonly changes: readonly Change[];
    readonly quick: readonly string[];
    readonly all: readonly string[];
    readonly folder: string;
    readonly jobs?: number;
  }): Promise<object[]>;
}

declare module "*/lib/mutation/score.mjs" {
  interface Score {
    readonly noticed: number;
    readonly counted: number;
    readonly percent: number;
  }
  export function statusesOf(
    changes: readonly { readonly id: string }[],
    entries: readonly object[],
  ): { readonly status: string }[];
  export function scoreOf(results: readonly { readonly status: string }[]): Score;
  export function scoreProblem(name: string, score: Score, floor: number): string | undefined;
}

declare module "*/lib/steps.mjs" {
  interface Step {
    readonly name: string;
    readonly alone?: boolean;
    readonly minutes: number;
    readonly commands: readonly (readonly string[])[];
    readonly env?: Readonly<Record<string, string>>;
  }
  interface StepResult {
    readonly name: string;
    readonly code: number;
    readonly seconds: number;
  }
  export function chooseSteps(
    steps: readonly Step[],
    choice: { readonly only?: string; readonly skip?: string },
  ): Step[];
  export function runSteps(
    steps: readonly Step[],
    options: { readonly folder: string; readonly jobs: number; readonly report: (line: string) => void },
  ): Promise<StepResult[]>;
  export function tableOf(results: readonly StepResult[]): string;
}

declare module "*/lib/test-titles.mjs" {
  export function testTitles(root: string, file: string): string[];
}

declare module "*/lib/workflows.mjs" {
  export function createWorkflowCheck(scripts: object): Promise<(content: string, file: string) => string[]>;
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

declare module "*/lib/shell-blocks.mjs" {
  export function checkShell(
    code: string,
    folder: string,
    makeKey: () => string,
  ): { readonly problems: readonly string[]; readonly verdict: "checked" | "parsed" };
}
