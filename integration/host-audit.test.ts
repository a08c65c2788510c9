/** ssh-audit checks the algorithms that TunnelHost and ReverseTunnel offer by default. */

import { join } from "node:path";
import { compatibleAlgorithms, fingerprint, password, ReverseTunnel, type TunnelOptions } from "@postern/node";
import { afterEach, describe, expect, it } from "vitest";
import { type RunningHost, startHost } from "./harness/clients/host.ts";
import { missingClient } from "./harness/clients/programs.ts";
import { freePort, isListening, launch, missing, newerSshAuditFolder } from "./harness/index.ts";

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");
/** `POSTERN_SSH_AUDIT`, or the newer one of `scripts/setup-tests.mjs`, or the installed one. */
const folder = newerSshAuditFolder();
const program =
  process.env.POSTERN_SSH_AUDIT ?? (folder === undefined ? "ssh-audit" : join(folder, "usr/bin/ssh-audit"));
const env = folder === undefined ? {} : { PYTHONPATH: join(folder, "usr/lib/python3/dist-packages") };
const reason = program === "ssh-audit" ? (missingClient("ssh-audit") ?? missing("ssh")) : undefined;
if (reason !== undefined) process.stderr.write(`skipped: ssh-audit: ${reason}\n`);

const audit = (...args: readonly string[]) => launch(program, ["-b", "-n", ...args], { env });
/** The many connections that show whether a server throttles them take ten seconds. */
const noRateTest = program === "ssh-audit" ? [] : ["--skip-rate-test"];

/** The algorithms with a failure or a warning. docs/security.md has the reason why each is offered. */
function complaints(report: string, level: "fail" | "warn"): readonly string[] {
  let named = "";
  const found = new Set<string>();
  for (const line of report.replace(escapes, "").split("\n")) {
    const [, name] = /^\((?:kex|key|enc|mac)\) (\S+)/.exec(line) ?? [];
    if (name !== undefined) named = name;
    // Old releases know neither ML-KEM nor the markers of strict key exchange, and call sntrup761 experimental.
    if (line.includes(`[${level}]`) && !/(?:unknown|experimental) algorithm/.test(line)) found.add(named);
  }
  return [...found];
}

describe.skipIf(reason)("ssh-audit", () => {
  let server: RunningHost | undefined;
  afterEach(() => server?.stop());

  it("reports no failure and no warning for TunnelHost", async () => {
    server = await startHost({ hostKeyTypes: ["ed25519", "rsa3072"] });
    const auditing = await audit(...noRateTest, "-p", String(server.port), "127.0.0.1");
    await auditing.exited;
    const report = auditing.stdout.text();
    await auditing.stop();
    expect(report).toContain("mlkem768x25519-sha256");
    expect(report).toContain("ssh-ed25519");
    expect(complaints(report, "fail")).toEqual([]);
    expect(complaints(report, "warn")).toEqual([]);
  });

  /** Returns the report about the offer of a ReverseTunnel. */
  async function auditOf(more: Partial<TunnelOptions>): Promise<string> {
    const port = await freePort();
    const auditing = await audit("-c", "-p", String(port), "-t", "20");
    const tunnel = new ReverseTunnel({
      host: "127.0.0.1",
      port,
      user: "test",
      auth: [password("secret")],
      hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
      reconnect: { mode: "never" },
      ...more,
    });
    tunnel.closed.catch(() => undefined);
    while (!isListening(port)) await new Promise((resolve) => setTimeout(resolve, 50));
    // ssh-audit reads the offer and closes the connection.
    await expect(tunnel.connect()).rejects.toThrow();
    await auditing.exited;
    const report = auditing.stdout.text();
    await auditing.stop();
    return report;
  }

  it("reports no failure and no warning for ReverseTunnel", async () => {
    const report = await auditOf({});
    expect(report).toContain("mlkem768x25519-sha256");
    expect(report).toContain("ssh-ed25519");
    expect(complaints(report, "fail")).toEqual([]);
    expect(complaints(report, "warn")).toEqual([]);
  });

  it("reports the algorithms of compatibleAlgorithms that docs/security.md lists", async () => {
    const report = await auditOf({ algorithms: compatibleAlgorithms });
    const curves = ["nistp256", "nistp384", "nistp521"];
    const ecdsa = curves.map((curve) => `ecdsa-sha2-${curve}`);
    const macs = ["hmac-sha2-256", "hmac-sha2-512"];
    expect(complaints(report, "fail")).toEqual([...curves.map((curve) => `ecdh-sha2-${curve}`), ...ecdsa]);
    // Old releases accept this group.
    const groups = program === "ssh-audit" ? [] : ["diffie-hellman-group14-sha256"];
    expect(complaints(report, "warn")).toEqual([...groups, ...ecdsa, ...macs]);
  });
});
