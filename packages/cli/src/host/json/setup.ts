import type { HostSetup } from "../setup.ts";
export async function setupFromJson(_file: string, _keys: readonly string[]): Promise<HostSetup> { throw new Error("todo"); }
