/** agent() with agents that lie, fall silent or never end. Real agents are in `integration/agent.test.ts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuthContext, AuthMethod } from "@postern/auth";
import {
  AgentIdentitiesAnswer,
  type AgentIdentity,
  AgentSessionBind,
  AgentSignRequest,
  AgentSignResponse,
  encodeAgentFrame,
  encodeSignature,
} from "@postern/keys";
import { rejection, testHostKey } from "@postern/testkit";
import { type Bytes, concat, HostboundProof, Reader, UserauthPkOk, UserauthRequest, utf8, Writer } from "@postern/wire";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AgentOptions, agent } from "../src/index.ts";

const context: AuthContext = {
  user: "test",
  sessionId: utf8("session"),
  hostKey: utf8("host key"),
  signature: utf8("host signature"),
  serverAlgorithms: ["ssh-ed25519", "rsa-sha2-256"],
  hostbound: true,
  refusalsLeft: 5,
  signal: undefined,
};
const { publicKey } = testHostKey();
const success = encodeAgentFrame(Uint8Array.of(6));
const failure = encodeAgentFrame(Uint8Array.of(5));
const holding = (...identities: AgentIdentity[]): Bytes =>
  encodeAgentFrame(AgentIdentitiesAnswer.encode({ identities }));
const one = holding({ publicKey, comment: "mine" });

let folder: string;
let server: Server | undefined;
let sockets: Socket[];
let received: number;
let requests: Bytes[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postern-agent-"));
  sockets = [];
  requests = [];
  received = 0;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
  rmSync(folder, { recursive: true });
});

type Answer = (request: Bytes, socket: Socket) => Bytes | undefined;

/** Starts an agent that answers with raw bytes. Each request comes whole. */
async function lying(answer: Answer): Promise<string> {
  const path = join(folder, "socket");
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Bytes) => {
      received += chunk.length;
      const reader = new Reader(chunk, "request");
      const request = Uint8Array.from(reader.string());
      requests.push(request);
      const bytes = answer(request, socket);
      if (bytes !== undefined) socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return path;
}

/** Accepts the binding; other requests are answered by number. */
const answers =
  (list: Bytes | undefined, sign?: Bytes): Answer =>
  ([number]) =>
    number === 27 ? success : number === 11 ? list : sign;

async function methodsOf(options: AgentOptions, given: Partial<AuthContext> = {}): Promise<readonly AuthMethod[]> {
  return (await agent(options)
    .begin({ ...context, ...given })
    .next(undefined)) as readonly AuthMethod[];
}
const labels = (methods: readonly AuthMethod[]): (string | undefined)[] => methods.map(({ label }) => label);
const fails = (pattern: RegExp) => ({ code: "credentials", message: expect.stringMatching(pattern) });

describe("agent()", () => {
  it("binds each connection to the session before its request (OpenSSH PROTOCOL.agent section 1)", async () => {
    const signature = encodeSignature("ssh-ed25519", new Uint8Array(64));
    const path = await lying(answers(one, encodeAgentFrame(AgentSignResponse.encode({ signature }))));
    const [method] = await methodsOf({ path });
    const dialog = (method as AuthMethod).begin(context);
    await dialog.next(undefined);
    const proof = await dialog.next(UserauthPkOk.encode({ algorithm: "ssh-ed25519", publicKey }));
    const { specificData } = UserauthRequest.decode(proof as Bytes);
    expect(HostboundProof.decode(specificData)).toMatchObject({ signature, hostKey: context.hostKey });
    expect(requests.map(([number]) => number)).toEqual([27, 11, 27, 13]);
    for (const bind of [requests[0], requests[2]]) {
      const reader = new Reader((bind as Bytes).subarray(1), "extension");
      expect(reader.text()).toBe("session-bind@openssh.com");
      expect(AgentSessionBind.decode(reader.rest())).toEqual({
        hostKey: context.hostKey,
        sessionId: context.sessionId,
        signature: context.signature,
        isForwarding: false,
      });
    }
    const asked = AgentSignRequest.decode(requests[3] as Bytes);
    expect(asked).toMatchObject({ publicKey, flags: 0 });
    await expect.poll(() => sockets.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it("works with an agent that does not know the extension", async () => {
    for (const number of [5, 28]) {
      const path = await lying((request) => (request[0] === 27 ? encodeAgentFrame(Uint8Array.of(number)) : one));
      expect(labels(await methodsOf({ path }))).toEqual(['publickey "mine"']);
      await new Promise((resolve) => server?.close(resolve));
    }
  });

  it("asks for rsa-sha2-256 if the server lists that, and refuses a signature with SHA-1", async () => {
    const rsa = new Writer().text("ssh-rsa").mpint(Uint8Array.of(3)).mpint(new Uint8Array(256).fill(1)).finish();
    for (const [name, accepted] of [
      ["rsa-sha2-256", true],
      ["ssh-rsa", false],
    ] as const) {
      const signature = encodeSignature(name, new Uint8Array(256));
      const sign = encodeAgentFrame(AgentSignResponse.encode({ signature }));
      const path = await lying(answers(holding({ publicKey: rsa, comment: "old" }), sign));
      const [method] = await methodsOf({ path });
      const dialog = (method as AuthMethod).begin(context);
      await dialog.next(undefined);
      const proof = Promise.resolve(dialog.next(UserauthPkOk.encode({ algorithm: "rsa-sha2-256", publicKey: rsa })));
      if (accepted) await proof;
      else expect(await rejection(proof)).toMatchObject(fails(/to sign with rsa-sha2-256, got "ssh-rsa"/));
      expect(AgentSignRequest.decode(requests.at(-1) as Bytes).flags).toBe(2);
      await new Promise((resolve) => server?.close(resolve));
    }
  });

  it("offers keys that the server lists first, then others, and no DSA or malformed keys", async () => {
    const blob = (type: string): Bytes => new Writer().text(type).string(utf8(type)).finish();
    const path = await lying(
      answers(
        holding(
          { publicKey: blob("ssh-dss"), comment: "dsa" },
          { publicKey: utf8("?"), comment: "malformed" },
          { publicKey: blob("ssh-ed25519-cert-v01@openssh.com"), comment: "cut certificate" },
          { publicKey: blob("ssh-future"), comment: "future" },
          { publicKey: blob("ssh-ed25519"), comment: "listed" },
        ),
      ),
    );
    expect(labels(await methodsOf({ path }))).toEqual(['publickey "listed"', 'publickey "future"']);
  });

  it("leaves room for other methods, and names what it leaves out", async () => {
    const many = Array.from({ length: 12 }, (_, n) => ({ publicKey, comment: `key\u0007 ${n}` }));
    const path = await lying(answers(holding(...many)));
    expect(await methodsOf({ path })).toHaveLength(6);
    expect(await methodsOf({ path, maxIdentities: 100 })).toHaveLength(12);
    expect(await methodsOf({ path, maxIdentities: 2 }, { refusalsLeft: -3 })).toHaveLength(3);
    const least = await methodsOf({ path }, { refusalsLeft: -3 });
    expect(labels(least)).toEqual(['publickey "key\\u{7} 0"', "agent"]);
    expect(() => (least[1] as AuthMethod).begin(context).next(undefined)).toThrow(
      expect.objectContaining({
        code: "auth",
        message: expect.stringMatching(/^did not offer "key\\u\{7\} 1", .*"key\\u\{7\} 8" and 3 more, .*`identity`/),
      }),
    );
  });

  it("rejects options that it does not know, and malformed ones, at once", () => {
    for (const wrong of [
      { socket: "/x" },
      { path: "" },
      { path: "/x\0y" },
      { maxIdentities: 0 },
      { identity: [""] },
      { identity: 1 },
    ]) {
      expect(() => agent(wrong as AgentOptions)).toThrow(expect.objectContaining({ code: "misuse" }));
    }
    expect(() => agent({ identity: "SHA256:x" })).toThrow(expect.objectContaining({ code: "key" }));
  });
});

describe("an agent that lies", () => {
  const cut = (bytes: Bytes): Bytes[] => Array.from({ length: bytes.length - 1 }, (_, at) => bytes.subarray(0, at + 1));
  const claims = (size: number): Bytes => new Writer().uint32(size).finish();

  it.each([
    ["refuses the list", failure, /to list its identities, got a refusal: it may be locked/],
    ["claims 1 GiB", claims(2 ** 30), /at most 262144 bytes, got 1073741824/],
    ["claims 4 GiB", claims(0xffff_ffff), /at most 262144 bytes, got 4294967295/],
    ["answers nothing", claims(0), /got an empty one/],
    [
      "claims a million identities",
      encodeAgentFrame(new Writer().byte(12).uint32(1e6).finish()),
      /at most 2048 identities/,
    ],
    ["holds no identity", holding(), /got none that this server may use/],
    ["sends surplus fields", encodeAgentFrame(concat(one.subarray(4), utf8("x"))), /malformed data/],
    ["sends two answers", concat(one, one), /more bytes after it/],
    ["sends text", utf8("HTTP/1.1 400 Bad Request\r\n\r\n"), /at most 262144 bytes/],
  ])("and %s fails with a clear error", async (_what, list, pattern) => {
    const path = await lying(answers(list));
    expect(await rejection(methodsOf({ path }))).toMatchObject(fails(pattern));
    expect(sockets).toHaveLength(1);
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
  });

  it("and ends at any byte of an answer fails with a clear error", async () => {
    let rest = cut(one);
    const path = await lying((request, socket) => {
      if (request[0] === 27) return success;
      socket.end(rest[0] ?? "");
      return undefined;
    });
    for (; rest.length > 0; rest = rest.slice(1)) {
      expect(await rejection(methodsOf({ path }))).toMatchObject(fails(/to answer, got/));
    }
  });

  it("and answers the binding with another message fails with a clear error", async () => {
    const path = await lying(() => one);
    expect(await rejection(methodsOf({ path }))).toMatchObject(fails(/to answer a request, got message 12/));
  });

  it("and never ends is cut off after one message", async () => {
    let sent = 0;
    const path = await lying((request, socket) => {
      if (request[0] === 27) return success;
      // A message of the largest size, and then data without an end, as fast as it is read.
      const chunk = new Uint8Array(65_536);
      const more = (): void => {
        while (!socket.destroyed && socket.write(sent === 0 ? claims(262_144) : chunk)) sent += chunk.length;
        sent += chunk.length;
      };
      socket.on("drain", more);
      more();
      return undefined;
    });
    expect(await rejection(methodsOf({ path }))).toMatchObject(fails(/more bytes after it|malformed|refusal/));
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    // The message, and what the buffers of two sockets hold.
    expect(sent).toBeLessThan(4 * 1024 * 1024);
    expect(received).toBeLessThan(1000);
  });

  it("and falls silent is given up when the login is", async () => {
    const path = await lying(answers(undefined));
    const login = new AbortController();
    const listing = methodsOf({ path }, { signal: login.signal });
    await expect.poll(() => requests.length).toBe(2);
    login.abort(new Error("the login is over"));
    expect(await rejection(listing)).toMatchObject({ message: "the login is over" });
    await expect.poll(() => sockets[0]?.destroyed).toBe(true);
    expect(await rejection(methodsOf({ path }, { signal: login.signal }))).toMatchObject({
      message: "the login is over",
    });
    expect(sockets).toHaveLength(1);
  });
});
