/** A TunnelHost in the workers of `node:cluster`. Needs `dist`, which `npm test` builds. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("serves clients of one SSH port in two workers, and lets one client alone have a forwarded port", () => {
  const program = fileURLToPath(new URL("cluster/hosts.mjs", import.meta.url));
  const output = execFileSync(process.execPath, [program], { encoding: "utf8", timeout: 20_000 });
  expect(JSON.parse(output)).toEqual({ samePort: true, second: "refused" });
});
