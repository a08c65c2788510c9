/**
 * Requests made during login: when they are sent, how they settle, and that no delayed acknowledgement holds up the
 * answer.
 */
import { type AuthMethod, password, publickey } from "@postern/auth";
import type { ConnectionMachine } from "@postern/connection";
import { type Liar, testHostKey } from "@postern/testkit";
import {
  type Bytes,
  GlobalRequest,
  PasswordRequest,
  RequestFailure,
  RequestSuccess,
  ServiceAccept,
  ServiceRequest,
  UserauthFailure,
  UserauthRequest,
  UserauthSuccess,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import { GlobalRequests } from "../src/global-requests.ts";
import type { GlobalReply, SshConnection } from "../src/index.ts";
import { loggedIn, lyingClient, lyingServer, nothing, rejection, turns } from "./helpers.ts";

const key = (): AuthMethod => publickey(testHostKey());
const openSsh = "SSH-2.0-OpenSSH_9.2p1 Debian-2";
const accept = ServiceAccept.encode({ service: "ssh-userauth" });

/** A client that makes the requests `first` and `second` as soon as login begins. */
function asking({ version = openSsh, auth = [key()], ask = ["first", "second"] } = {}) {
  const replies: Promise<GlobalReply>[] = [];
  let connection: SshConnection | undefined;
  const { liar, connected } = lyingServer(
    { version },
    {
      auth,
      onLogin: (logging) => {
        connection = logging;
        for (const name of ask) {
          const reply = logging.request(name, nothing);
          reply.catch(() => {});
          replies.push(reply);
        }
      },
    },
  );
  connected.catch(() => {});
  return { liar, connected, replies, said: hear(liar), bytesOut: () => connection?.stats().bytesOut ?? 0 };
}

/** Returns the message numbers that the client has sent since the last call. */
function hear(liar: Liar): () => Promise<number[]> {
  const numbers: number[] = [];
  void (async () => {
    for (let next = await liar.next(); next !== undefined; next = await liar.next()) numbers.push(next[0] ?? 0);
  })();
  return async () => {
    await turns();
    return numbers.splice(0);
  };
}

const success = (text: string): Bytes => RequestSuccess.encode({ specificData: new TextEncoder().encode(text) });
const [service, login, request] = [ServiceRequest.number, UserauthRequest.number, GlobalRequest.number];

describe("a request made during login", () => {
  it.each([openSsh, "SSH-2.0-dropbear_2022.83", "SSH-2.0-Postern_0.1.0"])(
    "follows the login request at once when a key is the last method and the server is %s",
    async (version) => {
      const { liar, connected, replies, said } = asking({ version });
      expect(await said()).toEqual([service, login, request, request]);
      // One TCP segment may hold all answers.
      liar.send(accept, UserauthSuccess.encode({}), success("1"), RequestFailure.encode({}));
      const client = await connected;
      expect(await Promise.all(replies)).toMatchObject([
        { ok: true, specificData: Uint8Array.of(0x31) },
        { ok: false },
      ]);
      const later = client.request("third", nothing);
      expect(await said()).toEqual([request]);
      liar.send(success(""));
      expect(await later).toMatchObject({ ok: true });
    },
  );

  it.each([
    ["a server that may look at it before the login is decided", { version: "SSH-2.0-Go" }],
    ["OpenSSH on Windows, whose way nobody here has seen", { version: "SSH-2.0-OpenSSH_for_Windows_9.5" }],
    ["a password, for the server may ask for another one", { auth: [password("secret")] }],
    ["a key that another method follows", { auth: [key(), password("secret")] }],
  ])("waits for the end of the login with %s", async (_title, options) => {
    const { liar, connected, replies, said } = asking(options);
    expect(await said()).toEqual([service, login]);
    liar.send(accept, UserauthSuccess.encode({}));
    await connected;
    expect(await said()).toEqual([request, request]);
    liar.send(success(""), success(""));
    expect(await Promise.all(replies)).toMatchObject([{ ok: true }, { ok: true }]);
  });

  it("waits for the end of the login with an unknown server", async () => {
    const { liar, connected, replies, said } = asking({ version: "SSH-2.0-MyOpenSSH_9.2" });
    expect(await said()).toEqual([service]);
    liar.send(accept);
    expect(await said()).toEqual([login]);
    liar.send(UserauthSuccess.encode({}));
    await connected;
    expect(await said()).toEqual([request, request]);
    liar.send(success(""), success(""));
    expect(await Promise.all(replies)).toMatchObject([{ ok: true }, { ok: true }]);
  });

  it("follows the second of two logins when the first is accepted but not sufficient", async () => {
    const { liar, connected, replies, said } = asking({ auth: [password("secret"), key()], ask: ["first"] });
    expect(await said()).toEqual([service, login]);
    liar.send(accept, UserauthFailure.encode({ canContinue: ["publickey"], partialSuccess: true }));
    expect(await said()).toEqual([login, request]);
    liar.send(UserauthSuccess.encode({}), success(""));
    await connected;
    expect(await replies[0]).toMatchObject({ ok: true });
  });

  it("rejects with the login's error when login is refused", async () => {
    const { liar, connected, replies, said } = asking();
    expect(await said()).toEqual([service, login, request, request]);
    liar.send(accept, UserauthFailure.encode({ canContinue: ["publickey"], partialSuccess: false }));
    const error = await rejection(connected);
    expect(error).toMatchObject({ code: "auth", message: expect.stringContaining("publickey (refused)") });
    for (const reply of replies) expect(await rejection(reply)).toBe(error);
  });

  it("does not measure the round trip, because login takes time of its own", () => {
    const asked: string[] = [];
    const globalRequests = { send: (name: string) => void asked.push(name) };
    const machine = { globalRequests } as unknown as ConnectionMachine;
    let now = 0;
    const requests = new GlobalRequests({
      machine,
      scheduleFlush() {},
      acknowledgeNow() {},
      answerOnce: () => (answer) => answer(),
      onOpen: undefined,
      onRequest: undefined,
      unsent: 0,
      endError: () => expect.unreachable(),
      longRoundTrip: () => undefined,
      now: () => now,
    });
    for (let i = 0; i < Limits.roundTrips; i++) void requests.send("tcpip-forward", nothing, {});
    requests.release();
    now = 500;
    requests.loggedIn = true;
    for (let i = 0; i < Limits.roundTrips; i++) requests.settle(0, { ok: true, specificData: nothing });
    // If they had been measured, the round trip would be 500 ms. A keepalive is sent instead.
    expect(requests.longRoundTrip()).toBeUndefined();
    expect(asked.at(-1)).toBe("keepalive@openssh.com");
  });

  it("may not open a channel until login is complete", async () => {
    let opened: Promise<unknown> | undefined;
    const onLogin = (logging: SshConnection): void => {
      opened = rejection(logging.openChannel("x", nothing));
    };
    const { liar, connected } = lyingServer({}, { onLogin });
    await liar.letIn();
    await connected;
    expect(await opened).toMatchObject({ code: "misuse" });
  });

  it("ends the connection when the program's handler throws", async () => {
    const { connected } = lyingServer(
      {},
      {
        onLogin: () => {
          throw new Error("no");
        },
      },
    );
    expect(await rejection(connected)).toMatchObject({ code: "closed" });
  });
});

describe("an answer that Nagle's algorithm would hold back", () => {
  it("is released by IGNORE when the service is accepted and the login's answer is due", async () => {
    const { liar, said, bytesOut } = asking();
    await said();
    const before = bytesOut();
    liar.send(accept);
    await turns();
    expect(bytesOut()).toBeGreaterThan(before);
  });

  it("is released by IGNORE when a request without a reply comes before it, and only then", async () => {
    const { liar, client } = await loggedIn({}, { version: openSsh });
    const hostKeys = GlobalRequest.encode({ name: "hostkeys-00@openssh.com", wantReply: false, specificData: nothing });
    const before = client.stats().bytesOut;
    liar.send(hostKeys);
    await turns();
    expect(client.stats().bytesOut).toBe(before);
    const reply = client.request("tcpip-forward", nothing);
    await turns();
    const asked = client.stats().bytesOut;
    liar.send(hostKeys);
    await turns();
    expect(client.stats().bytesOut).toBeGreaterThan(asked);
    liar.send(success(""));
    await reply;
  });

  it("sends no IGNORE to a server that is not known to need it", async () => {
    const { liar, client } = await loggedIn();
    const reply = client.request("tcpip-forward", nothing);
    await turns();
    const asked = client.stats().bytesOut;
    liar.send(GlobalRequest.encode({ name: "hostkeys-00@openssh.com", wantReply: false, specificData: nothing }));
    await turns();
    expect(client.stats().bytesOut).toBe(asked);
    liar.send(success(""));
    await reply;
  });
});

describe("the login request", () => {
  it.each([
    openSsh,
    "SSH-2.0-OpenSSH_for_Windows_9.5",
    "SSH-2.0-dropbear_2022.83",
    "SSH-2.0-Postern_0.1.0",
    "SSH-2.0-Go",
  ])("is sent in one flight with SERVICE_REQUEST when the server is %s", async (version) => {
    const { liar, connected, said } = asking({ version, auth: [password("secret")], ask: [] });
    expect(await said()).toEqual([service, login]);
    liar.send(accept, UserauthSuccess.encode({}));
    await connected;
  });

  it.each([
    "SSH-2.0-libssh_0.10.6",
    "SSH-2.0-libssh_0.8.7",
    "SSH-2.0-mod_sftp",
    "SSH-2.0-Golang",
    "SSH-2.0-OpenSSHd",
    "SSH-1.99-OpenSSH_2.9",
    "SSH-2.0-x SSH-2.0-OpenSSH_9.2",
  ])("waits for SERVICE_ACCEPT when the server is %s, which may not accept both at once", async (version) => {
    const { liar, connected, said } = asking({ version, auth: [password("secret")], ask: [] });
    expect(await said()).toEqual([service]);
    liar.send(accept);
    expect(await said()).toEqual([login]);
    liar.send(UserauthSuccess.encode({}));
    await connected;
  });

  it.each([
    ["success", UserauthSuccess.encode({})],
    ["a failure", UserauthFailure.encode({ canContinue: ["password"], partialSuccess: false })],
  ])("rejects %s in place of SERVICE_ACCEPT, because no login request was sent", async (_what, answer) => {
    const { liar, connected, said } = asking({ version: "SSH-2.0-libssh_0.10.6", auth: [password("secret")], ask: [] });
    expect(await said()).toEqual([service]);
    liar.send(answer);
    expect(await rejection(connected)).toMatchObject({ code: "protocol" });
  });

  it("is not sent while SERVICE_ACCEPT is missing, and login ends at its deadline", async () => {
    const { liar, connected } = lyingServer({ version: "SSH-2.0-libssh_0.10.6" }, { loginTimeoutMs: 50 });
    const said = hear(liar);
    expect(await rejection(connected)).toMatchObject({ code: "timeout" });
    expect(await said()).toEqual([service]);
  });
});

describe("a server whose client does not wait for its answers", () => {
  const attempt = (password: string): Bytes =>
    UserauthRequest.encode({
      user: "test",
      service: "ssh-connection",
      method: "password",
      specificData: PasswordRequest.encode({ isChange: false, password }),
    });

  it("decides one login request after the other, and passes on what follows the one that succeeds (RFC 4252 section 5.1)", async () => {
    const decided: string[] = [];
    const { liar, served } = lyingClient({
      authenticate: async (attempt) => {
        const password = attempt.method === "password" ? attempt.password : "";
        decided.push(`begins ${password}`);
        await turns();
        decided.push(`ends ${password}`);
        return password === "secret";
      },
    });
    const said = hear(liar);
    liar.send(
      ServiceRequest.encode({ service: "ssh-userauth" }),
      attempt("wrong"),
      attempt("secret"),
      GlobalRequest.encode({ name: "first", wantReply: true, specificData: nothing }),
    );
    await served;
    expect(await said()).toEqual([
      ServiceAccept.number,
      UserauthFailure.number,
      UserauthSuccess.number,
      RequestFailure.number,
    ]);
    expect(decided).toEqual(["begins wrong", "ends wrong", "begins secret", "ends secret"]);
    liar.abort();
  });
});
