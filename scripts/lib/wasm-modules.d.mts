interface WasmModule {
  readonly files: readonly string[];
  readonly pages: number;
  readonly isFile: boolean;
}
export const modules: Readonly<Record<string, WasmModule>>;
export function assembled(name: string): Promise<Buffer>;
