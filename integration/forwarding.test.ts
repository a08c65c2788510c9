/** Forwardings through real servers: both modes, every form of address, and faults of visitors and targets. */
import { type ForwardedChannel, type Listener, privateKey, ReverseTunnel, type VisitorErrorEvent } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  deafTarget,
  echoTarget,
  exchange,
  freePort,
  halfCloseTarget,
  httpTarget,
  isListening,
  makeKey,
  missing,
  openTunnel,
  patternChunks,
  patternHash,
  patternSource,
  refusingPort,
  resettingTarget,
  type SshServer,
  startDropbear,
  startSshd,
  tempDir,
  tunnelOptions,
  userKey,
  visit,
} from "./harness/index.ts";

interface Host extends SshServer {
  stop(): Promise<void>;
}
interface HostKind {
  readonly name: string;
  readonly lacks: string | undefined;
  readonly cancels: boolean;
  readonly start: () => Promise<Host>;
}
const hosts: readonly HostKind[] = [
  {
    name: "OpenSSH",
    lacks: missing("sshd"),
    cancels: true,
    start: async () => startSshd({ authorizedKeys: [(await userKey()).publicLine] }),
  },
  {
    name: "dropbear",
    lacks: missing("dropbear"),
    // dropbear 2022.83 answers every cancel-tcpip-forward with failure.
    cancels: false,
    start: async () => startDropbear({ authorizedKeys: [(await userKey()).publicLine] }),
  },
];

const local = (port: number): { host: string; port: number } => ({ host: "127.0.0.1", port });

for (const { name, lacks, cancels, start } of hosts) {
  describe.skipIf(lacks)(`a forwarding through ${name}`, () => {
    let host: Host;
    beforeAll(async () => {
      host = await start();
    });
    afterAll(() => host.stop());

    it("carries bytes to a target, and keeps open connections after the forwarding is closed", async () => {
      const echo = await echoTarget();
      const tunnel = await openTunnel(host);
      const forwarding = await tunnel.forward({ port: 0, target: local(echo.port) });
      const visitor = await visit(forwarding.port);
      await visitor.send("before");
      expect((await visitor.read(6)).toString()).toBe("before");
      if (cancels) {
        await forwarding.close();
        await forwarding.closed;
      } else await expect(forwarding.close()).rejects.toMatchObject({ code: "refused" });
      expect(isListening(forwarding.port)).toBe(!cancels);
      // Cancelling ends only the listening (RFC 4254 section 7.1).
      await visitor.send("after");
      expect((await visitor.read(5)).toString()).toBe("after");
      visitor.end();
      expect((await visitor.readAll()).length).toBe(0);
      await tunnel.close();
      await echo.stop();
    });

    it("accepts requests during the login, and rejects a port in use", async () => {
      const [echo, taken] = await Promise.all([echoTarget(), echoTarget()]);
      const tunnel = new ReverseTunnel(await tunnelOptions(host));
      const target = local(echo.port);
      const login = tunnel.connect();
      const asked = [0, 0].map((port) => tunnel.forward({ port, target }));
      const busy = tunnel.forward({ address: "127.0.0.1", port: taken.port, target });
      busy.catch(() => {});
      await login;
      const forwardings = await Promise.all(asked);
      // dropbear reports success if it can listen on ::1 alone.
      if (name === "OpenSSH") await expect(busy).rejects.toMatchObject({ code: "refused" });
      for (const { port } of forwardings) expect((await exchange(port, "early")).toString()).toBe("early");
      await tunnel.close();
      await Promise.all([echo.stop(), taken.stop()]);
    });

    it("rejects requests from before a login that fails", async () => {
      const port = await freePort();
      const unknown = await makeKey("ed25519", tempDir("postern-unknown").file("key"));
      const tunnel = new ReverseTunnel(await tunnelOptions(host, { auth: [privateKey(unknown.privateText)] }));
      const login = tunnel.connect();
      const forwarding = tunnel.forward({ port, target: local(port) });
      const auth = { code: "auth", message: expect.stringContaining("publickey (refused)") };
      forwarding.catch(() => {});
      await expect(login).rejects.toMatchObject(auth);
      await expect(forwarding).rejects.toMatchObject(auth);
      expect(isListening(port)).toBe(false);
    });

    it("yields each connection with its origin, as streams and as a pipe", async () => {
      const tunnel = await openTunnel(host);
      const asked: unknown[] = [];
      const forwarding = await tunnel.listen({
        port: 0,
        onOpen: (request) => {
          asked.push([typeof request.channelId, request.origin.host, request.address, request.port]);
          return true;
        },
      });
      const channels = forwarding[Symbol.asyncIterator]();
      const streams = exchange(forwarding.port, "as streams");
      const first = await taken(channels);
      expect(first.origin.host).toBe("127.0.0.1");
      expect(first.origin.port).toBeGreaterThan(0);
      await first.readable.pipeTo(first.writable);
      expect((await streams).toString()).toBe("as streams");
      await first.closed;

      const pushed = exchange(forwarding.port, "as a pipe");
      const second = await taken(channels);
      second.start({
        data: (chunk) => void second.write(chunk),
        end: () => second.end(),
        drain() {},
        closed() {},
      });
      expect((await pushed).toString()).toBe("as a pipe");
      await second.closed;
      expect(asked).toEqual(Array(2).fill(["number", "127.0.0.1", "localhost", forwarding.port]));
      await tunnel.close();
      expect(await channels.next()).toEqual({ done: true, value: undefined });
    });

    it("serves only the visitors that onOpen accepts", async () => {
      const echo = await echoTarget();
      const tunnel = await openTunnel(host);
      const errors: VisitorErrorEvent[] = [];
      tunnel.addEventListener("visitorerror", (event) => errors.push(event));
      const answers = [() => false, () => Promise.resolve(true), () => Promise.reject(new Error("no idea"))];
      const forwarding = await tunnel.forward({
        port: 0,
        target: local(echo.port),
        onOpen: () => answers.shift()?.() ?? false,
      });
      expect((await exchangeOrNothing(forwarding.port, "one")).toString()).toBe("");
      expect((await exchangeOrNothing(forwarding.port, "two")).toString()).toBe("two");
      expect((await exchangeOrNothing(forwarding.port, "three")).toString()).toBe("");
      expect(errors.map(({ error }) => String(error))).toEqual(["Error: no idea"]);
      expect(echo.accepted).toBe(1);
      await tunnel.close();
      await echo.stop();
    });

    it("half-closes in both directions", async () => {
      const size = 1_000_000;
      const hashing = await halfCloseTarget();
      const source = await patternSource(size, 11);
      const tunnel = await openTunnel(host);
      const ask = await tunnel.forward({ port: 0, target: local(hashing.port) });
      const asking = await visit(ask.port);
      await asking.sendAll(patternChunks(size, 3));
      asking.end();
      // The visitor has ended its side, and the answer still arrives.
      expect((await asking.readAll()).toString()).toBe(patternHash(size, 3));

      const tell = await tunnel.forward({ port: 0, target: local(source.port) });
      const listening = await visit(tell.port);
      expect(await listening.hashAll()).toEqual({ bytes: size, sha256: patternHash(size, 11) });
      // The target has ended its side, and the visitor may still send.
      await listening.send("still here");
      listening.end();
      expect(await listening.closed).toBeUndefined();
      await tunnel.close();
      await Promise.all([hashing.stop(), source.stop()]);
    });

    it("closes visitors if the target refuses, and fires visitorerror", async () => {
      const port = await refusingPort();
      const tunnel = await openTunnel(host);
      const errors: VisitorErrorEvent[] = [];
      tunnel.addEventListener("visitorerror", (event) => errors.push(event));
      const forwarding = await tunnel.forward({ port: 0, target: local(port) });
      expect((await exchangeOrNothing(forwarding.port, "hello")).length).toBe(0);
      expect(errors[0]?.error).toMatchObject({ code: "connect", message: expect.stringContaining("ECONNREFUSED") });
      expect(errors[0]?.forwarding).toBe(forwarding);
      await tunnel.close();
    });

    it("ends the visitor's connection if the target resets, and serves others", async () => {
      const resetting = await resettingTarget("data");
      const echo = await echoTarget();
      const tunnel = await openTunnel(host);
      const bad = await tunnel.forward({ port: 0, target: local(resetting.port) });
      const good = await tunnel.forward({ port: 0, target: local(echo.port) });
      expect((await exchangeOrNothing(bad.port, "hello")).length).toBe(0);
      expect((await exchange(good.port, "hello")).toString()).toBe("hello");
      await tunnel.close();
      await Promise.all([resetting.stop(), echo.stop()]);
    });

    it("serves other connections while a target never reads", async () => {
      const deaf = await deafTarget();
      const echo = await echoTarget();
      const tunnel = await openTunnel(host);
      const stalled = await tunnel.forward({ port: 0, target: local(deaf.port) });
      const running = await tunnel.forward({ port: 0, target: local(echo.port) });
      const visitor = await visit(stalled.port);
      // Far more than the window and the buffers of the sockets and the server.
      const flood = visitor.sendAll(patternChunks(64 * 1024 * 1024)).catch(() => "cut");
      const size = 4 * 1024 * 1024;
      const other = await visit(running.port);
      const [received] = await Promise.all([
        other.hashAll(),
        other.sendAll(patternChunks(size, 2)).then(() => other.end()),
      ]);
      expect(received).toEqual({ bytes: size, sha256: patternHash(size, 2) });
      visitor.reset();
      await flood;
      await tunnel.close();
      await Promise.all([deaf.stop(), echo.stop()]);
    });

    it("serves 200 connections at once", async () => {
      const echo = await echoTarget();
      const tunnel = await openTunnel(host);
      const forwarding = await tunnel.forward({ port: 0, target: local(echo.port) });
      const visitors = await Promise.all(Array.from({ length: 200 }, () => visit(forwarding.port)));
      await Promise.all(visitors.map((visitor, i) => visitor.send(`visitor ${i}`)));
      const answers = await Promise.all(visitors.map((visitor, i) => visitor.read(`visitor ${i}`.length)));
      expect(answers.map(String)).toEqual(visitors.map((_, i) => `visitor ${i}`));
      expect(echo.open).toBe(200);
      for (const visitor of visitors) visitor.end();
      await Promise.all(visitors.map((visitor) => visitor.closed));
      await tunnel.close();
      await echo.stop();
    });

    it("serves a web page over several forwardings of one tunnel", async () => {
      const web = await httpTarget("through the door\n");
      const tunnel = await openTunnel(host);
      const forwardings = await Promise.all(
        Array.from({ length: 5 }, () => tunnel.forward({ port: 0, target: local(web.port) })),
      );
      expect(new Set(forwardings.map(({ port }) => port)).size).toBe(5);
      expect(tunnel.forwardings).toHaveLength(5);
      const pages = forwardings.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}/`)).text());
      expect(await Promise.all(pages)).toEqual(Array(5).fill("through the door\n"));
      await tunnel.close();
      await web.stop();
    });

    it("rejects with a typed error if the port is in use, and the tunnel stays open", async () => {
      // On all addresses, because a server that can bind one of two families reports success.
      const echo = await echoTarget("::");
      const tunnel = await openTunnel(host);
      const refused = tunnel.listen({ address: "127.0.0.1", port: echo.port });
      await expect(refused).rejects.toMatchObject({
        code: "refused",
        message: expect.stringMatching(
          new RegExp(`expected the server to listen on "127.0.0.1" port ${echo.port}, got a refusal`),
        ),
      });
      const forwarding = await tunnel.forward({ port: 0, target: local(echo.port) });
      expect((await exchange(forwarding.port, "hello")).toString()).toBe("hello");
      await tunnel.close();
      await echo.stop();
    });
  });
}

describe.skipIf(missing("sshd"))("an address of a forwarding through OpenSSH", () => {
  for (const address of ["", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost"]) {
    it(`is sent to the server unchanged: ${JSON.stringify(address)}`, async () => {
      const sshd = await startSshd({
        authorizedKeys: [(await userKey()).publicLine],
        config: { GatewayPorts: "clientspecified", LogLevel: "DEBUG1" },
      });
      const echo = await echoTarget();
      try {
        const tunnel = await openTunnel(sshd);
        const forwarding = await tunnel.forward({ address, port: 0, target: local(echo.port) });
        await sshd.logged(new RegExp(`tcpip-forward listen ${address.replaceAll(".", "\\.")} port 0`));
        // A visitor is served only if the address in the channel request matches the forwarding.
        const to = address.includes(":") ? "::1" : "127.0.0.1";
        expect((await exchange(forwarding.port, "hello", to)).toString()).toBe("hello");
        await tunnel.close();
      } finally {
        await sshd.stop();
        await echo.stop();
      }
    });
  }

  for (const GatewayPorts of ["no", "yes", "clientspecified"]) {
    it(`finds each listener with probe() under GatewayPorts ${GatewayPorts}`, async () => {
      const sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], config: { GatewayPorts } });
      try {
        const tunnel = await openTunnel(sshd);
        for (const [address, asked] of [
          ["", ["127.0.0.1", "::1"]],
          ["*", ["127.0.0.1", "::1"]],
          ["localhost", ["127.0.0.1", "::1"]],
          ["0.0.0.0", ["127.0.0.1"]],
          ["::", ["::1"]],
          ["127.0.0.1", ["127.0.0.1"]],
          ["::1", ["::1"]],
          ["LOCALHOST", ["LOCALHOST"]],
        ] as const) {
          const forwarding = await tunnel.listen({ address, port: 0 });
          const { ok, answers } = await forwarding.probe();
          expect([address, ok, [...answers]]).toEqual([address, true, asked.map((host) => [host, "ours"])]);
        }
        await tunnel.close();
      } finally {
        await sshd.stop();
      }
    });
  }

  it("fails a probe if another program has the port on one of two families", async () => {
    const sshd = await startSshd({
      authorizedKeys: [(await userKey()).publicLine],
      config: { GatewayPorts: "clientspecified" },
    });
    const other = await echoTarget("127.0.0.1");
    try {
      const tunnel = await openTunnel(sshd);
      // sshd reports success if it can bind one of the two families.
      const both = await tunnel.listen({ address: "localhost", port: other.port });
      expect(await both.probe()).toMatchObject({
        ok: false,
        answers: new Map([
          ["127.0.0.1", "foreign"],
          ["::1", "ours"],
        ]),
      });
      await both.close();
      const six = await tunnel.listen({ address: "::", port: other.port });
      expect(await six.probe()).toMatchObject({ ok: true });
      await tunnel.close();
    } finally {
      await sshd.stop();
      await other.stop();
    }
  });

  it("distinguishes the same port on two addresses", async () => {
    const sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    try {
      const port = await freePort();
      const tunnel = await openTunnel(sshd);
      const serve = async (forwarding: Listener): Promise<void> => {
        for await (const channel of forwarding) channel.end();
      };
      const counted: string[] = [];
      const onOpen = ({ address }: { readonly address: string }): boolean => counted.push(address) > 0;
      const four = await tunnel.listen({ address: "127.0.0.1", port, onOpen });
      const six = await tunnel.listen({ address: "::1", port, onOpen });
      const served = Promise.all([serve(four), serve(six)]);
      await exchange(port, "", "::1");
      await exchange(port, "", "127.0.0.1");
      expect(counted).toEqual(["::1", "127.0.0.1"]);
      await expect(tunnel.listen({ address: "::1", port })).rejects.toMatchObject({ code: "misuse" });
      await six.close();
      await exchange(port, "", "127.0.0.1");
      await tunnel.close();
      await served;
      expect(counted).toEqual(["::1", "127.0.0.1", "127.0.0.1"]);
    } finally {
      await sshd.stop();
    }
  });
});

describe.skipIf(missing("sshd"))("a forwarding that the server denies", () => {
  for (const [config, said] of [
    [{ AllowTcpForwarding: "no" }, /forwarding/],
    [{ PermitListen: "localhost:1" }, /forwarding refused/],
  ] as const) {
    it(`rejects with the server's reason (${Object.keys(config)[0]})`, async () => {
      const sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], config });
      try {
        const tunnel = await openTunnel(sshd);
        await expect(tunnel.listen({ port: 0 })).rejects.toMatchObject({
          code: "denied",
          message: expect.stringMatching(said),
        });
        await tunnel.close();
      } finally {
        await sshd.stop();
      }
    });
  }
});

async function taken(channels: AsyncIterator<ForwardedChannel>): Promise<ForwardedChannel> {
  const next = await channels.next();
  if (next.done === true) throw new Error("expected a channel, got the end");
  return next.value;
}

/** Returns the answer to a visitor, or no bytes if the connection breaks. */
async function exchangeOrNothing(port: number | undefined, data: string): Promise<Uint8Array> {
  return exchange(port, data).catch(() => new Uint8Array(0));
}
