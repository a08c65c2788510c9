/** Five hundred clients with one forwarding each on one TunnelHost. */

import { password, type ReverseTunnel } from "@postern/node";
import { afterAll, describe, expect, it } from "vitest";
import { type RunningHost, startHost } from "./harness/clients/host.ts";
import { echoTarget, exchange, isListeningHere, missing, openTunnel } from "./harness/index.ts";

const clients = 500;

describe.skipIf(missing("ssh"))("TunnelHost with many clients", () => {
  let server: RunningHost;
  afterAll(() => server?.stop());

  it(`serves ${clients} clients with one forwarding each`, async () => {
    server = await startHost();
    const echo = await echoTarget();
    const target = { host: "127.0.0.1", port: echo.port };
    const open = async (): Promise<{ readonly tunnel: ReverseTunnel; readonly port: number }> => {
      const tunnel = await openTunnel(server, { auth: [password(server.password)] });
      const { port = 0 } = await tunnel.forward({ address: "127.0.0.1", port: 0, target });
      return { tunnel, port };
    };
    const tunnels = await Promise.all(Array.from({ length: clients }, open));
    expect(new Set(tunnels.map(({ port }) => port)).size).toBe(clients);
    expect(server.host.clients).toHaveLength(clients);
    const answers = await Promise.all(tunnels.map(({ port }) => exchange(port, `through ${port}`)));
    expect(answers.map(String)).toEqual(tunnels.map(({ port }) => `through ${port}`));
    const forwardings = server.host.clients.map((client) => client.forwardings);
    expect(forwardings.map(({ length }) => length)).toEqual(tunnels.map(() => 1));
    // Another program may have tried one of the 500 ports.
    expect(forwardings.flat().filter(({ visitors }) => visitors < 1)).toEqual([]);
    // Half of them close; the others must still be served.
    const [leaving, staying] = [tunnels.slice(0, clients / 2), tunnels.slice(clients / 2)];
    await Promise.all(leaving.map(({ tunnel }) => tunnel.close()));
    await expect.poll(() => server.host.clients.length, { timeout: 20_000 }).toBe(staying.length);
    expect(leaving.filter(({ port }) => isListeningHere(port))).toEqual([]);
    expect(isListeningHere(staying[0]?.port ?? 0)).toBe(true);
    expect((await Promise.all(staying.map(({ port }) => exchange(port, "still")))).map(String)).toEqual(
      staying.map(() => "still"),
    );
    await Promise.all(staying.map(({ tunnel }) => tunnel.close()));
    await expect.poll(() => server.host.clients.length, { timeout: 20_000 }).toBe(0);
    await echo.stop();
  });
});
