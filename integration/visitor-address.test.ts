/** The visitor's address at the target, and targets with TLS: nginx and haproxy behind OpenSSH. */
import { readFileSync } from "node:fs";
import type { Forwarding, ReverseTunnel } from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  missing,
  openTunnel,
  type RealProxy,
  type Sshd,
  startHaproxy,
  startNginx,
  startSshd,
  userKey,
} from "./harness/index.ts";

/** Asks through the tunnel. Returns the answer, and the port from which the visitor connected. */
async function ask({ port }: Forwarding): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  return await response.text();
}

describe.skipIf(missing("sshd", "web"))("the visitor's address", () => {
  let sshd: Sshd;
  let tunnel: ReverseTunnel;
  const servers: RealProxy[] = [];
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
  });
  afterAll(() => sshd.stop());
  afterEach(async () => {
    await tunnel.close();
    for (const server of servers.splice(0)) await server.stop();
  });

  for (const version of [1, 2] as const) {
    for (const [name, start] of [
      ["nginx", startNginx],
      ["haproxy", startHaproxy],
    ] as const) {
      it(`reaches ${name} by version ${version} of the PROXY protocol`, async () => {
        const server = await start();
        servers.push(server);
        tunnel = await openTunnel(sshd);
        const forwarding = await tunnel.forward({
          port: 0,
          target: { host: "127.0.0.1", port: server.port },
          proxyProtocol: version,
        });
        const [address, port, localAddress, localPort] = (await ask(forwarding)).split(" ");
        expect([address, localAddress, localPort]).toEqual(["127.0.0.1", "127.0.0.1", String(forwarding.port)]);
        expect(Number(port)).toBeGreaterThan(1023);
      });
    }
  }

  it("reaches nginx before TLS, whose certificate is checked", async () => {
    const server = await startNginx({ tls: true });
    servers.push(server);
    tunnel = await openTunnel(sshd);
    const errors: unknown[] = [];
    tunnel.addEventListener("visitorerror", ({ error }) => void errors.push(error));
    const target = { host: "localhost", port: server.port };
    const trusting = await tunnel.forward({
      port: 0,
      target: { ...target, tls: { ca: readFileSync(server.certificate) } },
      proxyProtocol: 2,
    });
    expect(await ask(trusting)).toMatch(/^127\.0\.0\.1 \d+ 127\.0\.0\.1 \d+$/);
    const strict = await tunnel.forward({ port: 0, target: { ...target, tls: true }, proxyProtocol: 2 });
    await expect(ask(strict)).rejects.toThrow();
    expect(errors).toEqual([
      expect.objectContaining({ code: "connect", message: expect.stringMatching(/DEPTH_ZERO_SELF_SIGNED_CERT/) }),
    ]);
  });

  it("is not sent to a target that does not speak TLS, whose visitor is refused", async () => {
    const server = await startNginx();
    servers.push(server);
    tunnel = await openTunnel(sshd);
    const errors: unknown[] = [];
    tunnel.addEventListener("visitorerror", ({ error }) => void errors.push(error));
    const forwarding = await tunnel.forward({
      port: 0,
      target: { host: "127.0.0.1", port: server.port, tls: true },
      proxyProtocol: 1,
    });
    await expect(ask(forwarding)).rejects.toThrow();
    expect(errors).toEqual([expect.objectContaining({ code: "connect" })]);
  });
});
