/** The driver: DISCONNECT and its reason, failing callbacks, backpressure, and jump hosts. */
import type { KexMethod, Signer } from "@postern/crypto";
import { modernAlgorithms, rsaSha2_512 } from "@postern/noble";
import { Liar, pipePair, seededRandom, wrapped } from "@postern/testkit";
import {
  type Bytes,
  ChannelOpen,
  Debug,
  Disconnect,
  GlobalRequest,
  PasswordRequest,
  Ping,
  ServiceAccept,
  ServiceRequest,
  SshError,
  UserauthBanner,
  UserauthRequest,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import {
  accept,
  type BytePipe,
  type ClientOptions,
  connect,
  type KeepAliveOptions,
  type PipeSink,
  type ServerOptions,
  type SshConnection,
} from "../src/index.ts";
import { loggedIn, lyingServer, nothing, rejection, turns } from "./helpers.ts";
import { clientOptions, serverOptions, world } from "./world.ts";

describe("DISCONNECT", () => {
  const reasons: [string, number, Partial<ClientOptions>, Uint8Array | undefined][] = [
    ["hostkey", 9, { hostKey: () => false }, undefined],
    ["protocol", 2, {}, Uint8Array.of(94, 0)],
    ["auth", 14, { auth: [] }, undefined],
  ];
  it.each(reasons)(
    "reports an error %s with reason %i (RFC 4253 section 11.1)",
    async (code, reason, options, payload) => {
      const { liar, connected } = lyingServer({}, options);
      const failed =
        payload === undefined
          ? connected
          : liar.letIn().then(async () => {
              const { closed } = await connected;
              liar.send(payload);
              await closed;
            });
      expect(await rejection(failed)).toMatchObject({ code });
      await turns();
      expect(liar.events.find(({ type }) => type === "disconnect")).toMatchObject({ reason });
      liar.end();
      await liar.closed;
    },
  );

  const secret = "expected vault.internal to have the host key SHA256:pinned";
  it.each<[string, string, Partial<ClientOptions>]>([
    [
      "a refused host key",
      "host key not verifiable",
      { hostKey: () => Promise.reject(new SshError("hostkey", secret)) },
    ],
    ["a host key check that fails", "host key not verifiable", { hostKey: () => Promise.reject(new Error(secret)) }],
    [
      "a method that fails",
      "auth cancelled by user",
      { auth: [{ name: "password", begin: () => ({ next: () => Promise.reject(new SshError("refused", secret)) }) }] },
    ],
  ])("has a fixed description after %s, while the program gets the full error", async (_, description, options) => {
    const { liar, connected } = lyingServer({}, options);
    // The client requests the service first, unless it has disconnected before.
    void liar.until(ServiceRequest.number).then(
      () => liar.send(ServiceAccept.encode({ service: "ssh-userauth" })),
      () => {},
    );
    const error = await rejection(connected);
    expect([error.message, String(error.cause)].join()).toContain(secret);
    await turns();
    const sent = liar.events.find(({ type }) => type === "disconnect");
    expect(sent).toMatchObject({ description });
    expect(JSON.stringify(liar.events)).not.toContain("pinned");
    liar.end();
  });

  it("has the reason BY_APPLICATION when we close, and nothing follows it", async () => {
    const { liar, client } = await loggedIn();
    const closing = client.close();
    await turns();
    expect(liar.events.at(-1)).toEqual({ type: "disconnect", reason: 11, description: "closed by the program" });
    liar.end();
    await closing;
    await client.closed;
  });

  it("becomes our error with the peer's reason, even when the pipe ends right after it", async () => {
    const { liar, client } = await loggedIn();
    liar.send(Disconnect.encode({ reason: 12, description: "too many\u001b", language: "" }));
    liar.end();
    expect(await rejection(client.closed)).toMatchObject({
      code: "disconnected",
      reason: 12,
      description: "too many\u001b",
      message: 'the peer disconnected: "too many\\u{1b}" (reason 12)',
    });
  });

  it("differs from the end of a pipe and from a broken pipe, whose cause is kept", async () => {
    const ended = await loggedIn();
    ended.liar.end();
    expect(await rejection(ended.client.closed)).toMatchObject({
      code: "closed",
      message: "the peer closed the connection without a reason",
    });
    const broken = await loggedIn();
    broken.liar.abort();
    expect(await rejection(broken.client.closed)).toMatchObject({
      code: "closed",
      message: expect.stringMatching(/^the connection was lost: /),
      cause: expect.any(Error),
    });
  });
});

describe("texts from the peer", () => {
  it("are reduced to one printable line of at most 1024 characters in SSH_MSG_DEBUG (RFC 4253 section 11.3)", async () => {
    const heard: string[] = [];
    const { liar, client } = await loggedIn({ onDebug: (message) => void heard.push(message) });
    for (const message of ["a\n\u001b[2J\u202eb", "x".repeat(30_000)]) {
      liar.send(Debug.encode({ alwaysDisplay: true, message, language: "" }));
    }
    await turns();
    expect(heard).toEqual(["a\\u{a}\\u{1b}[2J\\u{202e}b", "x".repeat(1024)]);
    liar.abort();
    await rejection(client.closed);
  });
});

describe("a callback of the program that throws", () => {
  const fail = (): never => {
    throw new TypeError("of the program");
  };
  it.each([
    [
      "onChannelOpen",
      ChannelOpen.encode({ channelType: "x", senderChannel: 1, initialWindow: 1, maxPacket: 1, specificData: nothing }),
    ],
    ["onGlobalRequest", GlobalRequest.encode({ name: "x", wantReply: true, specificData: nothing })],
    ["onDebug", Debug.encode({ alwaysDisplay: true, message: "x", language: "" })],
  ])("ends the connection with its error as the cause, and sends the peer no details (%s)", async (name, payload) => {
    const { liar, client } = await loggedIn({ [name]: fail });
    liar.send(payload);
    expect(await rejection(client.closed)).toMatchObject({ code: "closed", cause: expect.any(TypeError) });
    await turns();
    expect(liar.events.at(-1)).toMatchObject({ type: "disconnect", reason: 11 });
    expect(JSON.stringify(liar.events.at(-1))).not.toContain("of the program");
    liar.end();
  });

  it("refuses the server (hostKey)", async () => {
    for (const hostKey of [fail, () => Promise.reject(new TypeError("of the program"))]) {
      const { liar, connected } = lyingServer({}, { hostKey });
      expect(await rejection(connected)).toMatchObject({ code: "hostkey", cause: expect.any(TypeError) });
      liar.end();
    }
  });

  it("refuses the server when it returns nothing (hostKey)", async () => {
    for (const hostKey of [() => undefined, () => 1, () => "yes"] as unknown as ClientOptions["hostKey"][]) {
      const { liar, connected } = lyingServer({}, { hostKey });
      expect(await rejection(connected)).toMatchObject({ code: "hostkey" });
      liar.end();
    }
  });

  it("refuses the attempt (authenticate)", async () => {
    const [left, right] = pipePair();
    const served = rejection(accept(right, { ...serverOptions("x"), authenticate: fail }));
    expect(await rejection(connect(left, clientOptions("x")))).toMatchObject({ code: "auth" });
    await served;
  });

  it("ends the login (onBanner)", async () => {
    const { liar, connected } = lyingServer({}, { onBanner: fail });
    const failed = rejection(connected);
    await liar.until(5);
    liar.send(UserauthBanner.encode({ message: "x", language: "" }));
    expect(await failed).toMatchObject({ cause: expect.any(TypeError) });
    liar.end();
  });
});

describe("wrong options", () => {
  it("reject and abort the pipe, because no other code would close it", async () => {
    for (const wrong of [
      { rekey: { bytes: -1 } },
      { rekey: { ms: Number.NaN } },
      { rekey: { packets: "5" as unknown as number } },
      { rekey: { bytes: 5n as unknown as number } },
      { loginTimeoutMs: Number.NaN },
      { loginTimeoutMs: 0 },
      { loginTimeoutMs: "5000" as unknown as number },
      { keepAlive: { intervalMs: "5000" as unknown as number, countMax: 3 } },
      { keepAlive: { intervalMs: 5000, countMax: Number.NaN } },
      { keepAlive: { intervalMs: 5000 } as unknown as KeepAliveOptions },
      { keepAlive: null as unknown as KeepAliveOptions },
      { software: "a b" },
    ]) {
      for (const role of ["client", "server"] as const) {
        const [left, right] = pipePair();
        const gone = new Promise((resolve) => right.start({ data() {}, end() {}, drain() {}, closed: resolve }));
        const call =
          role === "client"
            ? connect(left, { ...clientOptions("x"), ...wrong })
            : accept(left, { ...serverOptions("x"), ...wrong });
        expect(await rejection(call)).toMatchObject({ code: "misuse" });
        expect(await gone).toBeInstanceOf(SshError);
      }
    }
  });
});

describe("host keys and algorithms that match no client", () => {
  it.each<[string, Partial<ServerOptions>]>([
    ["none", { hostKeys: [] }],
    [
      "none that can be, since an algorithm is null",
      { algorithms: { ...modernAlgorithms, kex: [null as unknown as KexMethod] } },
    ],
    ["null", { hostKeys: [null as unknown as Signer] }],
    ["a Promise", { hostKeys: [Promise.resolve() as unknown as Signer] }],
    ["none for the algorithms offered", { algorithms: { ...modernAlgorithms, hostKeys: [rsaSha2_512] } }],
  ])("reject with misuse and abort the pipe (%s)", async (_which, wrong) => {
    const [left, right] = pipePair();
    const gone = new Promise<void>((resolve) => {
      left.start({ data() {}, end() {}, drain() {}, closed: () => resolve() });
    });
    expect(await rejection(accept(right, { ...serverOptions("x"), ...wrong }))).toMatchObject({ code: "misuse" });
    await gone;
  });
});

describe("backpressure", () => {
  it("stops producers when the pipe is full, so that buffered output does not grow with their data", async () => {
    let written = 0;
    let stuck = false;
    let sink: PipeSink | undefined;
    const [left, right] = pipePair();
    const blocking: BytePipe = {
      ...wrapped(left),
      start(given) {
        sink = given;
        left.start({ ...given, drain() {} });
      },
      write(chunk) {
        written += chunk.length;
        left.write(chunk);
        return !stuck;
      },
    };
    const { client, server } = await world({
      pipes: [blocking, right],
      server: { onChannelOpen: (open) => open.accept().start({ data() {}, end() {}, drain() {}, closed() {} }) },
    });
    const channels = await Promise.all([1, 2, 3].map(() => client.openChannel("test", nothing)));
    written = 0;
    stuck = true;
    const pushed = channels.map((channel) => channel.writable.getWriter());
    const all = pushed.map((writer) => writer.write(new Uint8Array(1_500_000)));
    await turns();
    expect(written).toBeLessThan(2 * Limits.outputHighWater);
    stuck = false;
    sink?.drain();
    await Promise.all(all);
    expect(written).toBeGreaterThan(4_500_000);
    await client.close();
    await rejection(server.closed);
  });

  it("stops our reading when a peer sends requests and reads nothing, so that our output is limited", async () => {
    let written = 0;
    let paused = false;
    const [left, right] = pipePair();
    const blocking: BytePipe = {
      ...wrapped(left),
      start: (sink) => left.start({ ...sink, drain() {} }),
      write(chunk) {
        written += chunk.length;
        left.write(chunk);
        return written < 10_000;
      },
      pause() {
        paused = true;
        left.pause();
      },
    };
    const liar = new Liar("client", right);
    const [server] = await Promise.all([accept(blocking, serverOptions("x")), liar.logIn()]);
    // Counts from here, so without the pauses for decisions during login.
    paused = false;
    const ping = Ping.encode({ data: new Uint8Array(100_000) });
    let sent = 0;
    for (; !paused && sent < 4 * Limits.outputCeiling; sent += 100_000) {
      liar.send(ping);
      await turns(3);
    }
    expect(paused).toBe(true);
    // One answer is sent, and the pending ones reach the limit.
    expect(sent).toBeLessThan(Limits.outputCeiling + 300_000);
    expect(written).toBeLessThan(300_000);
    server.abort(new SshError("limit", "enough"));
    liar.abort();
  });
});

describe("a pipe that delivers buffered data inside resume(), as a channel does", () => {
  /** Delivers input that came while it was paused inside the call of `resume`. */
  const eager = (pipe: BytePipe): BytePipe => {
    const waiting: ((sink: PipeSink) => void)[] = [];
    let sink: PipeSink | undefined;
    let paused = false;
    const hand = (call: (sink: PipeSink) => void): void => {
      waiting.push(call);
      while (!paused && sink !== undefined && waiting.length > 0) waiting.shift()?.(sink);
    };
    return {
      ...wrapped(pipe),
      start(given) {
        sink = given;
        pipe.start({
          data: (chunk) => hand((to) => to.data(chunk)),
          end: () => hand((to) => to.end()),
          drain: () => given.drain(),
          closed: (error) => hand((to) => to.closed(error)),
        });
      },
      pause() {
        paused = true;
      },
      resume() {
        paused = false;
        hand(() => {});
      },
    };
  };
  /** A server that decides late, and a client that sends everything meanwhile. */
  const impatient = async (...payloads: readonly Bytes[]): Promise<SshConnection> => {
    const [left, right] = pipePair();
    const authenticate = async (attempt: { method: string; password?: string }): Promise<boolean> => {
      await turns();
      return attempt.password === "secret";
    };
    const served = accept(eager(left), { ...serverOptions("eager"), authenticate });
    const liar = new Liar("client", right);
    const specificData = PasswordRequest.encode({ isChange: false, password: "wrong" });
    liar.send(ServiceRequest.encode({ service: "ssh-userauth" }));
    await liar.until(ServiceAccept.number);
    liar.send(UserauthRequest.encode({ user: "test", service: "ssh-connection", method: "password", specificData }));
    await turns(2);
    liar.send(...payloads);
    liar.end();
    return served;
  };

  it("loses no data that came during a decision", async () => {
    const specificData = PasswordRequest.encode({ isChange: false, password: "secret" });
    const right = UserauthRequest.encode({ user: "test", service: "ssh-connection", method: "password", specificData });
    const server = await impatient(right);
    expect(server.user).toBe("test");
    expect(await rejection(server.closed)).toMatchObject({ code: "closed" });
  });

  it("reports the DISCONNECT that came before the end", async () => {
    const bye = Disconnect.encode({ reason: 13, description: "never mind", language: "" });
    expect(await rejection(impatient(bye))).toMatchObject({ code: "disconnected", reason: 13 });
  });
});

describe("a jump host", () => {
  it("carries a whole connection inside a channel", async () => {
    const outer = await world({
      server: {
        onChannelOpen(open) {
          const inner = accept(open.accept(), {
            ...serverOptions("inner"),
            onChannelOpen(request) {
              const channel = request.accept();
              channel.readable.pipeTo(channel.writable).catch(() => {});
            },
          });
          inner.then(({ closed }) => closed).catch(() => {});
        },
      },
    });
    const inner = await connect(await outer.client.openChannel("jump", nothing), clientOptions("inner"));
    const channel = await inner.openChannel("test", nothing);
    const sent = seededRandom("jump")(300_000);
    const received = new Response(channel.readable).arrayBuffer();
    const writer = channel.writable.getWriter();
    await writer.write(sent);
    await writer.close();
    expect(new Uint8Array(await received)).toEqual(sent);
    inner.rekey();
    expect(await inner.request("after a rekey", nothing)).toMatchObject({ ok: false });
    await inner.close();
    await inner.closed;
    expect(outer.client.channelCount).toBe(0);
    await outer.client.close();
  });

  it("settles every pending call of both connections when the outer one is lost", async () => {
    const outer = await world({
      server: {
        onChannelOpen: (open) =>
          void accept(open.accept(), { ...serverOptions("inner"), onGlobalRequest() {} })
            .then(({ closed }) => closed)
            .catch(() => {}),
      },
    });
    const inner = await connect(await outer.client.openChannel("jump", nothing), clientOptions("inner"));
    const waiting = Promise.allSettled([
      inner.closed,
      inner.request("x", nothing),
      outer.client.closed,
      outer.client.request("y", nothing),
    ]);
    outer.client.abort(new SshError("limit", "enough"));
    for (const [at, one] of (await waiting).entries())
      expect(one).toMatchObject({ status: "rejected", reason: { code: at < 2 ? "closed" : "limit" } });
    await inner.close();
  });

  it("loses no data while the inner host key is decided", async () => {
    const outer = await world({
      server: {
        onChannelOpen: (open) =>
          void accept(open.accept(), serverOptions("inner"))
            .then(({ closed }) => closed)
            .catch(() => {}),
      },
    });
    const channel = await outer.client.openChannel("jump", nothing);
    const inner = await connect(channel, {
      ...clientOptions("inner"),
      async hostKey() {
        await turns();
        return true;
      },
    });
    expect(await inner.request("x", nothing)).toMatchObject({ ok: false });
    await inner.close();
    await outer.client.close();
  });
});
