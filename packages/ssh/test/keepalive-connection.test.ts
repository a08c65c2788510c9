/** Keepalives on a connection: what counts as an answer, and their order among other requests. */
import { type Liar, pipePair, turns, wrapped } from "@postern/testkit";
import {
  type Bytes,
  Debug,
  GlobalRequest,
  Ignore,
  RequestFailure,
  RequestSuccess,
  SshError,
  TcpipForward,
  Unimplemented,
} from "@postern/wire";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BytePipe, ClientOptions, SshConnection } from "../src/index.ts";
import { loggedIn, nothing } from "./helpers.ts";
import { world } from "./world.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance", "Date", "setTimeout", "clearTimeout"], now: Date.UTC(2026, 0, 1) });
});
afterEach(() => void vi.useRealTimers());

async function advance(ms: number): Promise<void> {
  await turns();
  await vi.advanceTimersByTimeAsync(ms);
  await turns();
}

/** How a connection has ended, if it has. */
function endOf(connection: SshConnection): { code: string | undefined } {
  const end: { code: string | undefined } = { code: undefined };
  connection.closed.then(
    () => {
      end.code = "none";
    },
    (error: unknown) => {
      end.code = error instanceof SshError ? error.code : String(error);
    },
  );
  return end;
}

interface Deaf {
  readonly liar: Liar;
  readonly client: SshConnection;
  /** names of the global requests that the server received and that want a reply */
  readonly asked: string[];
  readonly end: { readonly code: string | undefined };
  /** whether the server's bytes are lost on the way */
  lost: boolean;
}

/** A client whose server answers nothing on its own. */
async function deaf(options: Partial<ClientOptions> = {}): Promise<Deaf> {
  const keepAlive = { intervalMs: 1_000, countMax: 2 };
  const wire = (bytes: Bytes): Bytes | undefined => (so.lost ? undefined : bytes);
  const so = { lost: false };
  const { liar, client } = await loggedIn({ keepAlive, ...options }, { wire, deaf: true });
  const asked: string[] = [];
  void (async () => {
    for (let payload = await liar.next(); payload !== undefined; payload = await liar.next()) {
      const request = payload[0] === GlobalRequest.number ? GlobalRequest.decode(payload) : undefined;
      if (request?.wantReply === true) asked.push(request.name);
    }
  })();
  await turns();
  // The requests made at login are answered, and the queue is empty.
  for (const _ of asked.splice(0)) liar.send(RequestFailure.encode({}));
  await turns();
  return Object.assign(so, { liar, client, asked, end: endOf(client) });
}

describe("a silent server", () => {
  it("is probed with keepalive@openssh.com, and lost after countMax more intervals", async () => {
    const { asked, end, client } = await deaf();
    await advance(999);
    expect(asked).toEqual([]);
    await advance(1);
    expect(asked).toEqual(["keepalive@openssh.com"]);
    await advance(1_000);
    expect(asked).toHaveLength(2);
    await advance(999);
    expect(end.code).toBeUndefined();
    await advance(1);
    expect(end.code).toBe("timeout");
    await expect(client.closed).rejects.toThrow(/keepalives.*3000 ms/);
    await advance(5_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is not probed with intervalMs 0", async () => {
    const { asked, end } = await deaf({ keepAlive: { intervalMs: 0, countMax: 1 } });
    await advance(600_000);
    expect(asked).toEqual([]);
    expect(end.code).toBeUndefined();
  });

  it("rejects every pending call when it is lost", async () => {
    const { client } = await deaf();
    const waiting = [client.request("hello@example.com", nothing), client.openChannel("session", nothing)];
    const codes = Promise.all(waiting.map((call) => call.then(String, (error: SshError) => error.code)));
    await advance(3_000);
    expect(await codes).toEqual(["timeout", "timeout"]);
  });
});

describe("proof that the server is alive", () => {
  it.each([
    ["REQUEST_SUCCESS", RequestSuccess.encode({ specificData: nothing })],
    ["REQUEST_FAILURE, as of sshd", RequestFailure.encode({})],
    ["UNIMPLEMENTED, as of servers that know no global requests", Unimplemented.encode({ sequence: 7 })],
  ])("is %s as an answer", async (_, answer) => {
    const { liar, asked, end, client } = await deaf();
    for (let i = 1; i <= 10; i++) {
      await advance(1_000);
      expect(asked).toHaveLength(i);
      liar.send(answer);
    }
    await advance(999);
    expect(end.code).toBeUndefined();
    expect(client.stats().roundTripMs).toBe(0);
  });

  it.each([
    ["IGNORE", Ignore.encode({ data: nothing })],
    ["DEBUG", Debug.encode({ alwaysDisplay: false, message: "still here", language: "" })],
    [
      "a global request",
      GlobalRequest.encode({ name: "hostkeys-00@openssh.com", wantReply: false, specificData: nothing }),
    ],
  ])("is %s, even though the probes stay unanswered", async (_, message) => {
    const { liar, asked, end } = await deaf();
    for (let i = 1; i <= 10; i++) {
      await advance(2_999);
      liar.send(message);
    }
    expect(asked).toHaveLength(20);
    await advance(2_999);
    expect(end.code).toBeUndefined();
    await advance(1);
    expect(end.code).toBe("timeout");
  });

  it("is a single byte of a packet that never completes", async () => {
    const { liar, end } = await deaf();
    for (let i = 0; i < 3; i++) {
      await advance(2_999);
      liar.raw(new Uint8Array([0]));
    }
    await advance(2_999);
    expect(end.code).toBeUndefined();
  });
});

describe("the queue of replies (RFC 4254 section 4)", () => {
  it("holds keepalives and requests in the order they were sent", async () => {
    const { liar, client, asked } = await deaf();
    const port = (number: number): Bytes => TcpipForward.encode({ address: "", port: number });
    await advance(1_000);
    const first = client.request("tcpip-forward", port(1));
    await advance(1_000);
    const second = client.request("tcpip-forward", port(2));
    await turns();
    expect(asked).toEqual(["keepalive@openssh.com", "tcpip-forward", "keepalive@openssh.com", "tcpip-forward"]);
    const reply = (text: string): Bytes => RequestSuccess.encode({ specificData: new TextEncoder().encode(text) });
    liar.send(RequestFailure.encode({}), reply("first"), RequestFailure.encode({}), reply("second"));
    const texts = (await Promise.all([first, second])).map(({ ok, specificData }) => [
      ok,
      new TextDecoder().decode(specificData),
    ]);
    expect(texts).toEqual([
      [true, "first"],
      [true, "second"],
    ]);
  });

  it("keeps the place of an aborted request", async () => {
    const { liar, client } = await deaf();
    const controller = new AbortController();
    const aborted = client.request("one@example.com", nothing, { signal: controller.signal });
    aborted.catch(() => {});
    await advance(1_000);
    const kept = client.request("two@example.com", nothing);
    controller.abort();
    await expect(aborted).rejects.toBe(controller.signal.reason);
    const success = RequestSuccess.encode({ specificData: new Uint8Array([1]) });
    liar.send(success, RequestFailure.encode({}), RequestSuccess.encode({ specificData: new Uint8Array([2]) }));
    expect(await kept).toEqual({ ok: true, specificData: new Uint8Array([2]) });
  });
});

describe("a key exchange", () => {
  it("holds probes back, because only its own messages may be sent (RFC 4253 section 7.1)", async () => {
    const so = await deaf({ keepAlive: { intervalMs: 1_000, countMax: 5 } });
    const { client, asked, end } = so;
    so.lost = true;
    client.rekey();
    await turns();
    const sent = client.stats().bytesOut;
    await advance(5_999);
    expect(client.stats().bytesOut).toBe(sent);
    expect(asked).toEqual([]);
    // They still count as unanswered, so the server is lost after that time.
    expect(end.code).toBeUndefined();
    await advance(1);
    expect(end.code).toBe("timeout");
  });

  it("is followed by the probes that were held, and by their answers", async () => {
    let held: (() => void)[] | undefined;
    const { client, server } = await world({
      client: { keepAlive: { intervalMs: 1_000, countMax: 5 } },
      pipes: slowly((deliver) => {
        if (held === undefined) deliver();
        else held.push(deliver);
      }),
    });
    const end = endOf(client);
    held = [];
    client.rekey();
    await advance(3_500);
    for (const deliver of held.splice(0)) deliver();
    held = undefined;
    await turns();
    expect(client.stats()).toMatchObject({ rekeys: 1, roundTripMs: 500 });
    await advance(60_000);
    expect(end.code).toBeUndefined();
    await Promise.all([client.close(), server.closed.catch(() => {})]);
  });
});

describe("a machine that slept", () => {
  /** A monotonic clock that advances while no timer runs. */
  async function sleeper(): Promise<Deaf & { readonly sleep: (ms: number) => void }> {
    let slept = 0;
    const keepAlive = { intervalMs: 30_000, countMax: 5 };
    const so = await deaf({ keepAlive, now: () => performance.now() + slept });
    return Object.assign(so, {
      sleep(ms: number) {
        slept += ms;
      },
    });
  }

  it("probes at once, and counts the server as lost after 10 s", async () => {
    const { asked, end, sleep } = await sleeper();
    await advance(29_000);
    sleep(3_600_000 / 2);
    await advance(1_000);
    expect(asked).toHaveLength(1);
    await advance(9_999);
    expect(end.code).toBeUndefined();
    await advance(1);
    expect(end.code).toBe("timeout");
  });

  it("continues when the server answers", async () => {
    const { asked, end, liar, sleep } = await sleeper();
    await advance(29_000);
    sleep(3_600_000 / 2);
    await advance(1_000);
    liar.send(RequestFailure.encode({}));
    await advance(29_999);
    expect(asked).toHaveLength(1);
    expect(end.code).toBeUndefined();
  });
});

/** Pipes that deliver to the client when the test calls for it. */
function slowly(deliver: (now: () => void) => void): [BytePipe, BytePipe] {
  const [pipe, right] = pipePair();
  const left: BytePipe = {
    ...wrapped(pipe),
    start: (sink) =>
      pipe.start({
        data: (chunk) => deliver(() => sink.data(chunk)),
        end: () => sink.end(),
        drain: () => sink.drain(),
        closed: (error) => sink.closed(error),
      }),
  };
  return [left, right];
}
