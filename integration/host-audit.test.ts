/** ssh-audit checks the algorithms that TunnelHost and ReverseTunnel offer by default. */
import { fingerprint, password, ReverseTunnel } from "@postern/node";
import { afterEach, describe, expect, it } from "vitest";
import { type RunningHost, startHost } from "./harness/clients/host.ts";
import { missingClient } from "./harness/clients/programs.ts";
import { freePort, isListening, launch, missing } from "./harness/index.ts";

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");
/** Another ssh-audit than the one that is installed, such as a newer one. */
const program = process.env.POSTERN_SSH_AUDIT ?? "ssh-audit";
const reason = process.env.POSTERN_SSH_AUDIT === undefined ? (missingClient("ssh-audit") ?? missing("ssh")) : undefined;
if (reason !== undefined) process.stderr.write(`skipped: ssh-audit: ${reason}\n`);

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
    const audit = await launch(program, ["-b", "-n", "-p", String(server.port), "127.0.0.1"]);
    await audit.exited;
    const report = audit.stdout.text();
    await audit.stop();
    expect(report).toContain("mlkem768x25519-sha256");
    expect(report).toContain("ssh-ed25519");
    expect(complaints(report, "fail")).toEqual([]);
    expect(complaints(report, "warn")).toEqual([]);
  });

  it("reports for ReverseTunnel only the host key algorithms of docs/security.md", async () => {
    const port = await freePort();
    const audit = await launch(program, ["-b", "-n", "-c", "-p", String(port), "-t", "20"]);
    const tunnel = new ReverseTunnel({
      host: "127.0.0.1",
      port,
      user: "test",
      auth: [password("secret")],
      hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
      reconnect: { mode: "never" },
    });
    tunnel.closed.catch(() => undefined);
    while (!isListening(port)) await new Promise((resolve) => setTimeout(resolve, 50));
    // ssh-audit reads the offer and closes the connection.
    await expect(tunnel.connect()).rejects.toThrow();
    await audit.exited;
    const report = audit.stdout.text();
    await audit.stop();
    expect(report).toContain("mlkem768x25519-sha256");
    const ecdsa = ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];
    expect(complaints(report, "fail")).toEqual(ecdsa);
    expect(complaints(report, "warn")).toEqual(ecdsa);
  });
});
