/** Faults between a tunnel and its server. Each ends in one SshError that names the expected and the actual value. */
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import {
  fingerprint,
  modernAlgorithms,
  password,
  privateKey,
  ReverseTunnel,
  SshError,
  type TunnelOptions,
} from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  deafTarget,
  echoTarget,
  exchange,
  httpTarget,
  type KeyPair,
  makeKey,
  missing,
  refusingPort,
  resettingTarget,
  type Sshd,
  startSshd,
  type TempDir,
  target,
  tempDir,
} from "./harness/index.ts";

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

/** Returns the error that a login fails with. */
async function failure(options: TunnelOptions): Promise<SshError> {
  const tunnel = new ReverseTunnel(options);
  const told: string[] = [];
  tunnel.addEventListener("state", ({ state }) => void told.push(state));
  const error: unknown = await tunnel.connect().then(
    () => new Error("expected the login to fail"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SshError)) throw error;
  expect(told.at(-1)).toBe("closed");
  await expect(tunnel.closed).rejects.toBe(error);
  await tunnel.close();
  return error;
}

/** A proxy that may change the server's output. `sent` is the number of bytes before the chunk. */
async function between(
  port: number,
  change: (chunk: Buffer, sent: number, visitor: Socket) => Buffer | undefined,
): Promise<{ readonly port: number; stop(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (visitor) => {
    const host = dial({ port, host: "127.0.0.1", noDelay: true });
    let sent = 0;
    for (const socket of [visitor, host]) sockets.add(socket.on("error", () => {}));
    visitor.on("data", (chunk) => void host.write(chunk)).on("close", () => host.destroy());
    host.on("close", () => visitor.end());
    host.on("data", (chunk) => {
      const passed = change(Buffer.from(chunk), sent, visitor);
      sent += chunk.length;
      if (passed !== undefined && passed.length > 0) visitor.write(passed);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("expected a port");
  return {
    port: address.port,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

beforeAll(() => void process.on("unhandledRejection", note));
afterEach(() => expect(unhandled).toEqual([]));
afterAll(() => void process.off("unhandledRejection", note));

describe.skipIf(missing("sshd", "password"))("a tunnel to OpenSSH", () => {
  let dir: TempDir;
  let key: KeyPair;
  let sshd: Sshd;
  const options = (more: Partial<TunnelOptions> = {}): TunnelOptions => ({
    host: "127.0.0.1",
    port: sshd.port,
    user: sshd.user,
    auth: [privateKey(key.privateText)],
    hostKey: fingerprint(sshd.fingerprint()),
    loginTimeoutMs: 20_000,
    ...more,
  });
  beforeAll(async () => {
    dir = tempDir("postern-bad");
    key = await makeKey("ed25519", dir.file("key"));
    sshd = await startSshd({ authorizedKeys: [key.publicLine], password: true });
  });
  afterAll(async () => {
    await sshd?.stop();
    dir?.remove();
  });

  it("names the tried and the offered methods after a wrong password, but not the password", async () => {
    const error = await failure(options({ auth: [password("no secret at all")] }));
    expect(error).toMatchObject({
      code: "auth",
      message:
        'expected the server to accept a login method: tried password (refused); the server accepts "publickey,password"',
    });
  });

  it("names the expected and the received fingerprint of a changed host key", async () => {
    const other = await makeKey("ed25519", dir.file("other"));
    const error = await failure(options({ hostKey: fingerprint(other.fingerprint) }));
    expect(error.code).toBe("hostkey");
    expect(error.message).toContain(
      `to have the host key ${other.fingerprint}, got ${sshd.fingerprint()} (ssh-ed25519)`,
    );
  });

  it("names both lists if there is no common algorithm", async () => {
    const narrow = await startSshd({
      authorizedKeys: [key.publicLine],
      config: { Ciphers: "aes128-ctr,aes192-ctr", KexAlgorithms: "curve25519-sha256" },
    });
    try {
      const error = await failure(options({ port: narrow.port, hostKey: () => true }));
      expect(error).toMatchObject({ code: "negotiation" });
      expect(error.message).toContain(
        `we offer "${modernAlgorithms.ciphers.map(({ name }) => name).join(",")}", the server offers "aes128-ctr,aes192-ctr"`,
      );
    } finally {
      await narrow.stop();
    }
  });

  it("rejects a forwarding whose port is in use, and stays open", async () => {
    const holder = await echoTarget();
    const tunnel = new ReverseTunnel(options());
    await tunnel.connect();
    const busy = tunnel.forward({
      address: "127.0.0.1",
      port: holder.port,
      target: { host: "127.0.0.1", port: 1 },
    });
    await expect(busy).rejects.toMatchObject({
      code: "refused",
      message: `expected the server to listen on "127.0.0.1" port ${holder.port}, got a refusal without a reason: the port may be in use, choose another`,
    });
    const free = await tunnel.forward({
      address: "127.0.0.1",
      port: 0,
      target: { host: "127.0.0.1", port: holder.port },
    });
    expect((await exchange(free.port, "still here")).toString()).toBe("still here");
    await tunnel.close();
    await holder.stop();
  });

  /** Returns the number of bytes that the server sends until the login is complete. */
  const handshake = async (): Promise<number> => {
    let total = 0;
    const proxy = await between(sshd.port, (chunk) => {
      total += chunk.length;
      return chunk;
    });
    const tunnel = new ReverseTunnel(options({ port: proxy.port }));
    await tunnel.connect();
    const done = total;
    await tunnel.close();
    proxy.stop();
    return done;
  };

  it.each(["ends", "resets"])("rejects if the server %s the connection at any point of the handshake", async (how) => {
    const whole = await handshake();
    // The last packets may arrive together with later ones, so the cuts stay before USERAUTH_SUCCESS.
    for (let most = 0; most < whole - 700; most += 130) {
      const proxy = await between(sshd.port, (chunk, sent, visitor) => {
        if (sent + chunk.length <= most) return chunk;
        setImmediate(() => (how === "ends" ? visitor.end() : visitor.resetAndDestroy()));
        return sent >= most ? undefined : chunk.subarray(0, most - sent);
      });
      const error = await failure(options({ port: proxy.port }));
      expect(["closed", "version"], `after ${most} bytes: ${error.message}`).toContain(error.code);
      proxy.stop();
    }
  });

  it("rejects a corrupted byte anywhere in the server's part of the handshake, except for padding in the clear", async () => {
    const whole = await handshake();
    let [rejected, tries] = [0, 0];
    for (let at = 0; at < whole; at += 97, tries++) {
      const proxy = await between(sshd.port, (chunk, sent) => {
        const spot = at - sent;
        if (spot >= 0 && spot < chunk.length) chunk.writeUInt8(chunk.readUInt8(spot) ^ 0x04, spot);
        return chunk;
      });
      const tunnel = new ReverseTunnel(options({ port: proxy.port, loginTimeoutMs: 1_000 }));
      const error: unknown = await tunnel.connect().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      // Padding in the clear is not signed, so a change there has no effect.
      if (error !== undefined) expect(error, `byte ${at}`).toBeInstanceOf(SshError);
      if (error !== undefined) rejected++;
      await tunnel.close();
      proxy.stop();
    }
    expect(rejected).toBeGreaterThan(0.8 * tries);
  });

  it("ends after a truncated packet, and after a corrupted one", async () => {
    for (const [how, code] of [
      ["cut", "closed"],
      ["flip", "mac"],
    ] as const) {
      let armed = false;
      const proxy = await between(sshd.port, (chunk, _sent, visitor) => {
        if (!armed) return chunk;
        if (how === "flip") {
          chunk.writeUInt8(chunk.readUInt8(chunk.length - 1) ^ 1, chunk.length - 1);
          return chunk;
        }
        setImmediate(() => visitor.end());
        return chunk.subarray(0, chunk.length - 1);
      });
      const tunnel = new ReverseTunnel(options({ port: proxy.port, reconnect: { mode: "never" } }));
      tunnel.closed.catch(() => {});
      await tunnel.connect();
      // The answer to this request follows everything that sshd sends after the login.
      await tunnel.listen({ address: "127.0.0.1", port: 0 });
      armed = true;
      await expect(tunnel.listen({ address: "127.0.0.1", port: 0 })).rejects.toMatchObject({
        name: "SshError",
        code,
      });
      await expect(tunnel.closed).rejects.toMatchObject({ name: "SshError", code });
      proxy.stop();
    }
  });
});

describe("a tunnel to a port without an SSH server", () => {
  const options = (port: number, more: Partial<TunnelOptions> = {}): TunnelOptions => ({
    host: "127.0.0.1",
    port,
    user: "test",
    auth: [password("secret")],
    hostKey: () => true,
    loginTimeoutMs: 20_000,
    ...more,
  });

  it("rejects if nothing listens", async () => {
    const port = await refusingPort();
    expect(await failure(options(port))).toMatchObject({
      code: "connect",
      message: expect.stringContaining(`127.0.0.1:${port} ECONNREFUSED`),
    });
  });

  it("rejects a web server", async () => {
    const web = await httpTarget();
    expect(await failure(options(web.port))).toMatchObject({
      code: "version",
      message: expect.stringMatching(/expected an SSH identification line .*, got "HTTP\/1\.1 400 Bad Request/),
    });
    await web.stop();
  });

  it("rejects a server that echoes its input", async () => {
    const echo = await echoTarget();
    const error = await failure(options(echo.port));
    expect(["protocol", "negotiation"]).toContain(error.code);
    await echo.stop();
  });

  it("rejects a silent server at the deadline of the login", async () => {
    const deaf = await deafTarget();
    expect(await failure(options(deaf.port, { loginTimeoutMs: 300 }))).toMatchObject({
      code: "timeout",
      message: expect.stringMatching(/^expected login to complete within \d+ ms$/),
    });
    await deaf.stop();
  });

  it("rejects if the server resets the connection", async () => {
    const resetting = await resettingTarget("data");
    expect(["closed", "version"]).toContain((await failure(options(resetting.port))).code);
    await resetting.stop();
  });

  it("rejects a packet of 4 GiB", async () => {
    const liar = await target((socket) =>
      socket.write(Buffer.concat([Buffer.from("SSH-2.0-huge\r\n"), Buffer.alloc(4096, 0xff)])),
    );
    expect(await failure(options(liar.port))).toMatchObject({
      code: "protocol",
      message: "expected a packet_length of 5 to 262144, got 4294967295",
    });
    await liar.stop();
  });

  it.each([
    ["lines", "", Buffer.from("hello there\r\n".repeat(1000))],
    ["one line", "", Buffer.alloc(16_384, "x")],
    [
      "packets",
      "SSH-2.0-flood\r\n",
      Buffer.concat(Array.from({ length: 100 }, () => Buffer.from("0000000c0602000000000000000000ff", "hex"))),
    ],
  ])("rejects a flood of %s before the login, without buffering it", async (_name, greeting, block) => {
    let written = 0;
    const flood = await target((socket) => {
      socket.write(greeting);
      const pour = (): void => {
        while (!socket.destroyed && written < 64 * 1024 * 1024) {
          written += block.length;
          if (!socket.write(block)) return void socket.once("drain", pour);
        }
      };
      pour();
    });
    const error = await failure(options(flood.port));
    expect(["version", "protocol", "limit"]).toContain(error.code);
    expect(error.message.length).toBeLessThan(300);
    // Only the kernel's buffers on both sides have taken bytes.
    expect(written).toBeLessThan(32 * 1024 * 1024);
    await flood.stop();
  });
});
