/** ssh-audit checks the algorithms that TunnelHost offers. */
import { afterEach, describe, expect, it } from "vitest";
import { type RunningHost, startHost } from "./harness/clients/host.ts";
import { missingClient } from "./harness/clients/programs.ts";
import { launch, missing } from "./harness/index.ts";

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, "g");

describe.skipIf(missingClient("ssh-audit") ?? missing("ssh"))("ssh-audit", () => {
  let server: RunningHost;
  afterEach(() => server.stop());

  it("reports no failure and no warning for the default algorithms", async () => {
    server = await startHost({ hostKeyTypes: ["ed25519", "rsa3072"] });
    const audit = await launch("ssh-audit", ["-b", "-n", "-p", String(server.port), "127.0.0.1"]);
    await audit.exited;
    const report = audit.stdout.text().replace(escapes, "");
    await audit.stop();
    expect(report).toContain("curve25519-sha256");
    expect(report).toContain("ssh-ed25519");
    const complaints = report.split("\n").filter((line) => /\[(?:fail|warn)\]/.test(line));
    // Releases before 3.1 report the marker of strict key exchange (OpenSSH PROTOCOL 1.9) as an unknown algorithm.
    expect(complaints.filter((line) => !/kex-strict-s-v00@openssh\.com.*unknown algorithm/.test(line))).toEqual([]);
  });
});
