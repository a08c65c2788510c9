/** Types of the programs of `test-vectors/` that tests use. */
declare module "*/runner/suite.mjs" {
  interface Trace {
    readonly file: string;
    readonly tcId: number;
    readonly comment: string;
  }
  export function tracesFor(role: "client" | "server"): readonly Trace[];
  export function runSuite(
    command: readonly string[],
    role: "client" | "server",
    options?: { readonly timeoutMs?: number },
  ): Promise<{
    readonly name: string;
    readonly results: readonly { readonly trace: Trace; readonly problem: string | undefined }[];
  }>;
}
