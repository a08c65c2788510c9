export interface CodeBlock {
  readonly language: string;
  /** The words after the language, such as `fragment`. */
  readonly mark: string;
  readonly line: number;
  readonly code: string;
}
export function splitPage(page: string): { readonly blocks: readonly CodeBlock[]; readonly text: string };
export function programsOf(page: string): CodeBlock[];
export function testOf(file: string): string | undefined;
export function claimedOutput(code: string): string[];
