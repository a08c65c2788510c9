/** The options of a tunnel and its calls. */
import { password } from "@postern/auth";
import { modernAlgorithms, sha256Fingerprint } from "@postern/noble";
import { otherHostKey, rejection, testHostKey, turns } from "@postern/testkit";
import { privateKey } from "@postern/web";
import type { SshError } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { createPrivateKeyMethod, fingerprint, type ListenOptions, type TunnelOptions } from "../src/index.ts";
import { forwarded, onVirtualClock, Rig, request } from "./world/index.ts";

onVirtualClock();

const rig = (options: object): Rig => new Rig(options as Partial<TunnelOptions>);
/** A rig whose first login was refused. */
const refused = async (options: object): Promise<Rig> => {
  const made = rig(options);
  void made.tunnel.connect().catch(() => {});
  await turns();
  await rejection(made.tunnel.closed);
  await turns();
  return made;
};

/** The code of an error, and what came. */
const thrown = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    const { code, message } = error as SshError;
    return `${code} ${message.split(", got ")[1]}`;
  }
  return "nothing";
};

const misuse = (message: string | RegExp): unknown =>
  expect.objectContaining({
    name: "SshError",
    code: "misuse",
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });

describe("options of a tunnel", () => {
  it.each([
    ["prot", "port"],
    ["Host", "host"],
    ["username", "user"],
    ["hostkey", "hostKey"],
    ["keepalive", "keepAlive"],
    ["loginTimeout", "loginTimeoutMs"],
    ["algorithm", "algorithms"],
  ])("are rejected if misspelt: %s suggests %s", (wrong, right) => {
    expect(() => rig({ [wrong]: 1 })).toThrow(
      misuse(`unknown option "${wrong}" of ReverseTunnel: did you mean "${right}"?`),
    );
  });

  it("are rejected without a suggestion if they resemble no option", () => {
    expect(() => rig({ zzzzzzzzzzzz: 1 })).toThrow(misuse('unknown option "zzzzzzzzzzzz" of ReverseTunnel'));
  });

  it("are checked inside other options", () => {
    expect(() => rig({ algorithms: { cipher: [] } })).toThrow(
      misuse(/"cipher" of algorithms: did you mean "ciphers"\?/),
    );
    expect(() => rig({ rekey: { byte: 1 } })).toThrow(misuse(/"byte" of rekey: did you mean "bytes"\?/));
  });

  it.each([
    [{ host: "" }, 'expected host to be a non-empty string, got ""'],
    [{ host: 5 }, "expected host to be a non-empty string, got a number"],
    [{ port: 0 }, /expected port .*got 0$/],
    [{ port: 65_536 }, /expected port .*got 65536$/],
    [{ port: "22" }, /expected port .*got the string "22"$/],
    [{ user: "" }, /expected user to be/],
    [{ auth: [] }, "expected auth to be a login method or a list of them, got an empty list"],
    [{ auth: "secret" }, /expected auth to be a login method.*got a string/],
    [{ auth: ["secret"] }, /expected auth to hold methods/],
    [{ auth: [undefined] }, /expected auth to hold methods/],
    [{ hostKey: undefined }, /expected hostKey to be a function.*got undefined/],
    [{ hostKey: "SHA256:x" }, /got the string "SHA256:x": write fingerprint\(…\)/],
    [{ host: "root@server" }, /got "root@server": write user: "root", host: "server"$/],
    [{ host: "server:2222" }, /got "server:2222": write host: "server", port: 2222$/],
    [{ host: "root@[::1]:22" }, /write user: "root", host: "::1", port: 22$/],
    [{ host: undefined, hosts: ["a", "b:22"] }, /expected hosts .* got "b:22": write host: "b", port: 22$/],
    [{ auth: [null] }, /expected auth to hold methods.*got null/],
    [{ auth: [password("x"), Promise.resolve(password("x"))] }, /expected auth to hold methods.*got a Promise/],
    [{ auth: [{ begin: () => {} }] }, /expected auth to hold methods.*got an object/],
    [{ auth: { 0: password("x"), length: 1 } }, /expected auth to be a login method.*got an object/],
    [{ user: ["root"] }, "expected user to be a non-empty string, got an array"],
    [{ user: null }, "expected user to be a non-empty string, got null"],
    [{ hostKey: Promise.resolve(() => true) }, /expected hostKey to be a function.*got a Promise/],
    [{ host: undefined, hosts: [null] }, "expected hosts to hold names or { host, port }, got null"],
    [{ host: undefined, hosts: [undefined] }, "expected hosts to hold names or { host, port }, got undefined"],
    [{ host: undefined, hosts: [22] }, "expected hosts to hold names or { host, port }, got a number"],
    [{ host: undefined, hosts: [["a", 22]] }, "expected hosts to hold names or { host, port }, got an array"],
    [{ host: undefined, hosts: [{ host: ["a"] }] }, "expected hosts to be a non-empty string, got an array"],
    [{ host: undefined, hosts: [{ host: "a", port: null }] }, /expected port .*got null$/],
    [{ host: undefined, hosts: [{ host: "a", port: 22 }], port: "22" }, /expected port .*got the string/],
    [{ host: undefined, hosts: "a" }, /expected hosts to hold at least one host/],
    [{ port: Object.create(null) }, /expected port .*got an object$/],
    [{ rekey: null }, "expected options of rekey, got null"],
    [{ rekey: [] }, "expected options of rekey, got an array"],
    [{ rekey: { bytes: "1000" } }, /expected rekey.bytes to be a number.*got a string/],
    [{ rekey: { packets: 10n } }, /expected rekey.packets/],
    [{ rekey: { ms: null } }, /expected rekey.ms .*got null$/],
    [{ rekey: { ms: 0 } }, /expected rekey.ms .*got 0$/],
    [{ rekey: { bytes: Number.NaN } }, /expected rekey.bytes .*got NaN$/],
    [{ algorithms: null }, "expected options of algorithms, got null"],
    [{ algorithms: { ciphers: "aes256-gcm@openssh.com" } }, /expected algorithms.ciphers to list algorithm values/],
    [{ algorithms: { kex: [null] } }, /expected algorithms.kex to list algorithm values.*got null/],
    [{ algorithms: { kex: ["curve25519-sha256"] } }, /expected algorithms.kex to list algorithm values.*got a string/],
    [{ algorithms: { macs: null } }, /expected algorithms.macs to list algorithm values.*got null/],
    [{ keepAlive: null }, "expected options of keepAlive, got null"],
    [{ reconnect: null }, "expected options of reconnect, got null"],
    [{ reconnect: { backoff: null } }, "expected options of reconnect.backoff, got null"],
    [{ reconnect: { backoff: { jitter: Number.POSITIVE_INFINITY } } }, /expected reconnect.backoff.jitter/],
    [{ reconnect: { mode: { toString: null } } }, /expected reconnect.mode/],
    [{ reconnect: { final: true } }, "expected reconnect.final to be a function, got a boolean"],
    [{ selfCheck: null }, "expected options of selfCheck, got null"],
    [{ selfCheck: 1000 }, "expected options of selfCheck, got a number"],
    [{ selfCheck: {} }, /expected selfCheck.intervalMs/],
    [{ beforeReconnect: null }, "expected beforeReconnect to be a function, got null"],
    [{ tap: { packet() {} } }, "expected tap to be a function, got an object"],
    [{ preferFirst: "yes" }, "expected preferFirst to be a boolean, got a string"],
    [{ exitOnForwardFailure: null }, "expected exitOnForwardFailure to be a boolean, got null"],
    [{ targetTimeoutMs: "5" }, /expected targetTimeoutMs/],
    [{ loginTimeoutMs: null }, /expected loginTimeoutMs/],
    [{ loginTimeoutMs: 0 }, /expected loginTimeoutMs/],
    [{ targetTimeoutMs: Number.NaN }, /expected targetTimeoutMs/],
  ])("reject %o: %s", (options, message) => {
    expect(() => rig(options)).toThrow(misuse(message));
  });

  it("use the default if undefined, also inside other options", () => {
    const { tunnel } = rig({
      algorithms: { kex: undefined, ciphers: modernAlgorithms.ciphers },
      rekey: { ms: undefined },
    });
    expect(tunnel.state).toBe("new");
  });

  it("are checked in calls", async () => {
    const { tunnel } = new Rig();
    for (const [call, message] of [
      [() => tunnel.connect(null as never), /expected options of connect, got null/],
      [() => tunnel.connect({ signal: 5 } as never), /expected signal to be an AbortSignal, got a number/],
      [() => tunnel.connect({ timeoutMs: 5 } as never), /unknown option "timeoutMs" of connect/],
      [() => tunnel.close({ signal: new AbortController() } as never), /expected signal to be an AbortSignal/],
      [() => tunnel.close({ signal: null } as never), /expected signal to be an AbortSignal, got null/],
      [() => tunnel.close(5 as never), /expected options of close, got a number/],
      [() => tunnel.listen({ port: 80, signal: "x" } as never), /expected signal to be an AbortSignal, got a string/],
    ] as const) {
      expect(await rejection(call())).toEqual(misuse(message));
    }
    expect(tunnel.state).toBe("new");
  });

  it("must be an object", () => {
    for (const none of [undefined, null, 5])
      expect(() => Reflect.construct(new Rig().tunnel.constructor, [none, {}])).toThrow(
        misuse(/expected options of ReverseTunnel/),
      );
  });

  it("reject a malformed fingerprint before anything is dialled", () => {
    for (const none of [undefined, null, 5, ["SHA256:x"]])
      expect(() => fingerprint(none as never)).toThrow(misuse(/fingerprint/));
    expect(() => Reflect.apply(fingerprint, undefined, [])).toThrow(misuse(/fingerprint/));
    for (const text of ["", "SHA256:", "MD5:00:11", "uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"]) {
      expect(() => fingerprint(text)).toThrow(expect.objectContaining({ code: "key" }));
    }
  });

  it("refuse a server with another host key, and send it neither credentials nor the host name", async () => {
    const trusted = sha256Fingerprint(otherHostKey().publicKey);
    const { tunnel, server } = await refused({ host: "host.example", hostKey: fingerprint(trusted) });
    const error = await rejection(tunnel.closed);
    for (const words of [trusted, "host.example", sha256Fingerprint(testHostKey().publicKey)]) {
      expect(error.message).toContain(words);
    }
    const sent = server.events.at(-1);
    expect(sent).toEqual({ type: "disconnect", reason: 9, description: "host key not verifiable" });
  });

  it("reject values of other types in fingerprint() and privateKey(), and name the type", () => {
    const wrong = [[], [null], [["SHA256:"]], [Promise.resolve("")]];
    expect(wrong.map((values) => thrown(() => fingerprint(...(values as unknown as [string]))))).toEqual([
      "misuse none",
      "misuse null",
      "misuse an array",
      "misuse a Promise; did you forget await?",
    ]);
    const keys = [undefined, null, 7, Promise.resolve("")];
    expect(keys.map((key) => thrown(() => privateKey(key as never)))).toEqual([
      "misuse undefined",
      "misuse null",
      "misuse a number",
      "misuse undefined",
    ]);
    const { publicKey, sign } = testHostKey();
    for (const signer of [
      { publicKey, sign, algorithms: "ssh-ed25519" },
      { publicKey, sign },
      { publicKey, algorithms: ["x"] },
    ]) {
      expect(thrown(() => privateKey(signer as never))).toMatch(/^misuse/);
    }
  });
});

describe("options of a forwarding", () => {
  it.each([
    [{ prot: 80 }, /unknown option "prot" of listen: did you mean "port"\?/],
    [{ port: -1 }, /expected port .*got -1$/],
    [{ port: 80.5 }, /expected port/],
    [{}, /expected port .*got undefined$/],
    [{ port: 80, address: 7 }, "expected address to be a string, got a number"],
    [{ port: 80, target: { host: "x" } }, /expected target.port/],
    [{ port: 80, target: { host: "", port: 1 } }, /expected target.host/],
    [{ port: 80, target: { host: "x", port: 0 } }, /expected target.port .*got 0$/],
    [{ port: 80, target: { hots: "x", port: 1 } }, /"hots" of target: did you mean "host"\?/],
    [{ port: 80, target: "x:1" }, /expected options of target/],
    [{ port: 80, backlog: 0 }, /expected backlog .*got 0$/],
    [{ port: 80, backlog: 1.5 }, /expected backlog/],
    [{ port: 80, backlog: "10" }, /expected backlog .*got a string$/],
    [[], "expected options of listen, got an array"],
    [Promise.resolve({ port: 80 }), /expected options of listen, got a Promise/],
    [{ port: "8080" }, /expected port .*got the string "8080"$/],
    [{ port: [80] }, /expected port .*got an array$/],
    [{ port: null }, /expected port .*got null$/],
    [{ port: Object.create(null) }, /expected port .*got an object$/],
    [{ port: 80, address: null }, "expected address to be a string, got null"],
    [{ port: 80, target: null }, "expected options of target, got null"],
    [{ port: 80, target: ["x", 1] }, "expected options of target, got an array"],
    [{ port: 80, target: { host: ["x"], port: 1 } }, "expected target.host to be a non-empty string, got an array"],
    [{ port: 80, onOpen: null }, "expected onOpen to be a function, got null"],
    [{ port: 80, wait: "no" }, "expected wait to be a boolean, got a string"],
    [{ port: 80, wait: 1 }, "expected wait to be a boolean, got a number"],
    [{ port: 0, keepPort: "false" }, "expected keepPort to be a boolean, got a string"],
    [{ port: 80, onOpenTimeoutMs: "30" }, /expected onOpenTimeoutMs .*got a string$/],
    [{ port: 80, onOpen: true }, "expected onOpen to be a function, got a boolean"],
    [{ port: 80, onOpenTimeoutMs: 0 }, /expected onOpenTimeoutMs .*got 0$/],
    [{ port: 80, onOpenTimeoutMs: Number.NaN }, /expected onOpenTimeoutMs .*got NaN$/],
  ])("reject %o: %s", async (options, message) => {
    expect(await rejection(request(new Rig().tunnel, options as ListenOptions))).toEqual(misuse(message));
  });

  it.each([undefined, null, 5, "x"])("must be an object, not %j", async (options) => {
    const request = new Rig().tunnel.listen(options as unknown as ListenOptions);
    expect(await rejection(request)).toEqual(misuse(/^expected options of listen, got /));
  });

  it("reject a tunnel that has ended", async () => {
    const { tunnel } = new Rig();
    await tunnel.close();
    expect(await rejection(tunnel.listen({ port: 80 }))).toMatchObject({ code: "closed" });
  });
});

describe("a second argument", () => {
  it("is rejected, because it would have no effect", async () => {
    const { tunnel } = new Rig();
    const { signal } = new AbortController();
    for (const [name, call] of [
      ["connect", () => Reflect.apply(tunnel.connect, tunnel, [{}, signal])],
      [
        "forward",
        () => Reflect.apply(tunnel.forward, tunnel, [{ port: 80, target: { host: "x", port: 1 } }, { signal }]),
      ],
      ["listen", () => Reflect.apply(tunnel.listen, tunnel, [{ port: 80 }, { signal }])],
      ["close", () => Reflect.apply(tunnel.close, tunnel, [{}, { signal }])],
    ] as const)
      expect(await rejection(call())).toEqual(misuse(new RegExp(`^expected ${name}\\(\\) .*second argument: an`)));
    expect(tunnel.state).toBe("new");
  });
});

describe("auth", () => {
  it("takes one method without a list", async () => {
    const opened = await new Rig({ auth: password("secret") }).logIn();
    expect(opened.tunnel.state).toBe("open");
  });

  it("takes a key file as text or as bytes", () => {
    const texts: string[] = [];
    const method = createPrivateKeyMethod(
      (text) => {
        texts.push(text);
        return testHostKey();
      },
      () => expect.unreachable(),
    );
    expect(method("a key")).toMatchObject({ name: "publickey" });
    expect(method(new TextEncoder().encode("a key"))).toMatchObject({ name: "publickey" });
    expect(texts).toEqual(["a key", "a key"]);
  });
});

describe("options of one call", () => {
  const wrong = [
    [null, /^expected options of (.+), got null$/],
    [5, /^expected options of (.+), got a number$/],
    [{ singal: AbortSignal.abort() }, /^unknown option "singal" of (.+): did you mean "signal"\?$/],
    [{ signal: new AbortController() }, /^expected signal to be an AbortSignal, got an instance of AbortController$/],
    [{ signal: null }, /^expected signal to be an AbortSignal, got null$/],
  ] as const;

  it.each(wrong)("reject %o: %s", async (options, message) => {
    const { rig: opened, forwarding } = await forwarded({ port: 80 });
    const call = options as object;
    for (const fails of [
      () => opened.tunnel.listen((call instanceof Object ? { port: 81, ...call } : call) as never),
      () => forwarding.close(call),
      () => forwarding.probe(call),
      () => opened.tunnel.close(call),
    ])
      expect(await rejection(fails())).toEqual(misuse(message));
    expect(forwarding.state).toBe("open");
    expect(opened.tunnel.state).toBe("open");
    opened.server.abort();
  });

  it("name the type of a wrong drainMs", async () => {
    const { rig: opened } = await forwarded({ port: 80 });
    for (const [drainMs, got] of [
      ["5", "a string"],
      [null, "null"],
      [[5], "an array"],
      [5n, "a bigint"],
      [Number.NaN, "NaN"],
    ])
      expect(await rejection(opened.tunnel.close({ drainMs } as object))).toEqual(
        misuse(new RegExp(`expected drainMs .*got ${String(got)}$`)),
      );
    expect(opened.tunnel.state).toBe("open");
    opened.server.abort();
  });
});
