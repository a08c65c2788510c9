/** close({ drainMs }) of a tunnel that has not logged in yet. */
import { fingerprint, password, ReverseTunnel } from "@postern/node";
import { expect, it } from "vitest";

it("ends during the first login without an unhandled rejection, also if the drain is aborted", async () => {
  const tunnel = new ReverseTunnel({
    host: "127.0.0.1",
    port: 1,
    user: "deploy",
    auth: [password("secret")],
    hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
    reconnect: { mode: "always" },
  });
  const login = tunnel.connect().catch((error: { code: string }) => error.code);
  await new Promise((resolve) => tunnel.addEventListener("reconnectattempt", resolve, { once: true }));
  await tunnel.close({ drainMs: 30_000, signal: AbortSignal.abort() });
  expect(await login).toBe("aborted");
});
