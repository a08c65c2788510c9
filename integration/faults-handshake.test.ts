/** A network that fails during the login: at each step of the handshake, and at random bytes. */
import { modernAlgorithms, SshError } from "@postern/node";
import { randomBelow, seededRandom } from "@postern/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { echoes } from "./harness/clients/host.ts";
import {
  behind,
  type CutPoint,
  echo,
  forwardTo,
  leavesNothing,
  missing,
  mustSettle,
  pollOptions,
  type Sshd,
  startSshd,
  userKey,
  watched,
  watchedOpen,
} from "./harness/index.ts";

/** The messages of a login by public key in each direction, as far as they are visible on the wire. */
const steps = {
  c2s: ["the identification", "KEXINIT", "the key exchange", "NEWKEYS", "the first encrypted segment"],
  s2c: [
    "the identification",
    "KEXINIT",
    "the key exchange",
    "NEWKEYS",
    "the first encrypted segment",
    "the second encrypted segment",
  ],
} as const;

const points: { readonly name: string; readonly point: CutPoint }[] = (["c2s", "s2c"] as const).flatMap((way) =>
  steps[way].flatMap((step, index) =>
    (["close", "reset", "silence"] as const).map((cut) => ({
      name: `${cut} after ${step} of the ${way === "c2s" ? "client" : "host"}`,
      point: { way, cut, after: { steps: index + 1 } },
    })),
  ),
);

/** Fast on every machine: the deadline of silence is short. */
const algorithms = { kex: modernAlgorithms.kex.filter(({ name }) => name === "curve25519-sha256") };

/** An ended connection is `closed`, or `version` before the server's identification. Silence ends at the deadline. */
const endings: Readonly<Record<CutPoint["cut"], readonly string[]>> = {
  close: ["closed", "version", "disconnected"],
  reset: ["closed", "version", "disconnected"],
  silence: ["timeout"],
};

describe.skipIf(missing("sshd", "password"))("a login through a network that fails", () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
  });
  afterAll(() => sshd.stop());
  leavesNothing();

  for (const { name, point } of points) {
    it(`rejects with one typed error in modes \`never\` and \`established\`, and retries in mode \`always\`: ${name}`, async () => {
      const server = await behind(sshd);
      const deadline = { algorithms, loginTimeoutMs: point.cut === "silence" ? 600 : 10_000 };
      for (const mode of ["never", "established"] as const) {
        const { tunnel, attempts } = await watched(server, { reconnect: { mode }, ...deadline });
        server.box.cutNext(point);
        const error: unknown = await mustSettle("login", tunnel.connect()).catch((cause: unknown) => cause);
        expect(error).toBeInstanceOf(SshError);
        expect(endings[point.cut]).toContain((error as SshError).code);
        await expect(tunnel.closed).rejects.toBe(error);
        expect([tunnel.state, attempts]).toEqual(["closed", []]);
        await server.box.reached;
      }
      const { tunnel, attempts } = await watched(server, { reconnect: { mode: "always" }, ...deadline });
      server.box.cutNext(point);
      await mustSettle("login", tunnel.connect());
      await server.box.reached;
      expect(tunnel.state).toBe("open");
      expect(endings[point.cut]).toContain(attempts[0]?.reason);
    });
  }

  it("rejects with one typed error after a cut at any byte of the handshake", async () => {
    const server = await behind(sshd);
    const { box } = server;
    await (await watchedOpen(server)).tunnel.close();
    const whole = { ...box.bytes };
    const random = seededRandom("bytes of a handshake");
    const outcomes = new Map<string, number>();
    for (let round = 0; round < 60; round++) {
      const way = round % 2 === 0 ? "c2s" : "s2c";
      // The last fifth belongs to the close, and to the server's messages after the login.
      const bytes = randomBelow(random, Math.floor(whole[way] * 0.8));
      const { tunnel } = await watched(server, { reconnect: { mode: "never" } });
      box.cutNext({ way, cut: round % 4 < 2 ? "close" : "reset", after: { bytes } });
      const error: unknown = await mustSettle("login", tunnel.connect()).catch((cause: unknown) => cause);
      const outcome = error instanceof SshError ? error.code : "a login";
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      await tunnel.close();
    }
    expect([...outcomes.keys()].filter((code) => !endings.close.includes(code))).toEqual([]);
  });

  it("reconnects after a cut at any byte of the reconnection", async () => {
    const server = await behind(sshd);
    const { box } = server;
    const record = await watchedOpen(server);
    const web = await forwardTo(record, await echo());
    const whole = { ...box.bytes };
    const random = seededRandom("bytes of a reconnection");
    for (let round = 0; round < 20; round++) {
      const way = round % 2 === 0 ? "c2s" : "s2c";
      const bytes = randomBelow(random, Math.floor(whole[way] * 0.8));
      box.cutNext({ way, cut: round % 4 < 2 ? "close" : "reset", after: { bytes } });
      box.reset();
      await box.reached;
      await expect.poll(() => [record.tunnel.state, web.state, box.open], pollOptions).toEqual(["open", "open", 1]);
      expect(await echoes(web.port, 10_000)).toBe(true);
    }
    // Each round had two cuts: one while the tunnel was open, one during the reconnection.
    expect(record.attempts.length).toBe(40);
  });
});
