/** Faults of the network between the tunnel and its server: silence, reset, close, delay, and tiny segments. */
import type { Forwarding } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { echoes } from "./harness/clients/host.ts";
import {
  atEnd,
  back,
  behind,
  echo,
  forwardTo,
  freePort,
  leavesNothing,
  lost,
  type Middlebox,
  missing,
  mustSettle,
  patternChunks,
  patternHash,
  patternSource,
  pollOptions,
  type Sshd,
  startSshd,
  target,
  userKey,
  visit,
  type Watched,
  watchedOpen,
} from "./harness/index.ts";

/** Started before the tests, because `leavesNothing` counts the resources that a test leaves. */
let sshd: Sshd;
let box: Middlebox;
let record: Watched;
let web: Forwarding;

const open = async (more: Parameters<typeof watchedOpen>[1] = {}): Promise<void> => {
  const server = await behind(sshd);
  box = server.box;
  record = await watchedOpen(server, more);
  web = await forwardTo(record, await echo(), { port: await freePort() });
};
const comesBack = async (times = 1): Promise<void> => {
  await back(record, web, times);
  expect(await echoes(web.port)).toBe(true);
};

describe.skipIf(missing("sshd", "password"))("a tunnel through a faulty network", () => {
  beforeAll(async () => {
    sshd = await startSshd({
      authorizedKeys: [(await userKey()).publicLine],
      // Makes sshd release the port of a connection that stays silent.
      config: { ClientAliveInterval: "1", ClientAliveCountMax: "2" },
    });
  });
  afterAll(() => sshd.stop());
  leavesNothing();

  for (const ways of ["both", "c2s", "s2c"] as const) {
    const name = { both: "in both directions", c2s: "towards the server", s2c: "towards the client" }[ways];

    it(`replaces a connection that is silent ${name}, after the keepalive has failed`, async () => {
      await open();
      const { attempts, forwardings } = record;
      box.silence(ways, "open");
      await lost(record);
      // Silence towards the server suppresses its answers too, because it does not receive our keepalives.
      expect(attempts[0]?.reason).toBe("timeout");
      await comesBack();
      expect(attempts).toHaveLength(1);
      expect(forwardings.at(-1)).toBe("open");
    });
  }

  it("waits until a silent network works again", async () => {
    await open({ loginTimeoutMs: 700 });
    box.silence();
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(3);
    expect(new Set(record.attempts.map(({ reason }) => reason))).toEqual(new Set(["timeout"]));
    box.heal();
    await comesBack();
  });

  it("loses no byte to a short silence", async () => {
    await open({ keepAlive: { intervalMs: 1_000, countMax: 5 } });
    const visitor = await visit(web.port);
    await visitor.send("before");
    await visitor.read(6);
    box.silence();
    await visitor.send(" and after");
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    box.heal();
    expect((await visitor.read(10)).toString()).toBe(" and after");
    expect(record.attempts).toEqual([]);
    visitor.socket.destroy();
  });

  for (const fault of ["reset", "close"] as const) {
    it(`reconnects after a ${fault}, idle or busy`, async () => {
      await open();
      box[fault]();
      await comesBack(1);
      const visitor = await visit(web.port);
      const sent = visitor.sendAll(patternChunks(20_000_000)).catch(() => undefined);
      const heard = visitor.hashAll().catch(() => undefined);
      await expect.poll(() => web.stats().bytesOut, pollOptions).toBeGreaterThan(3_000_000);
      box[fault]();
      await comesBack(2);
      // The visitor's connection must end, and not as if all bytes had arrived.
      expect((await heard)?.bytes ?? 0).toBeLessThan(20_000_000);
      await sent;
      visitor.socket.destroy();
      expect(record.attempts.map(({ reason }) => reason)).toEqual(["closed", "closed"]);
    });
  }

  it("retries until the network accepts a connection", async () => {
    await open();
    await box.down();
    box.reset();
    await expect.poll(() => record.attempts.length, pollOptions).toBeGreaterThan(3);
    await box.up();
    await comesBack();
    expect(record.attempts.slice(1).every(({ reason }) => reason === "connect")).toBe(true);
  });

  it("tolerates a delay of seconds", async () => {
    await open({ keepAlive: { intervalMs: 1_000, countMax: 5 } });
    box.delay(1_500);
    const visitor = await visit(web.port);
    await visitor.send("late, but whole");
    visitor.end();
    expect((await visitor.readAll()).toString()).toBe("late, but whole");
    box.heal();
    expect(await echoes(web.port)).toBe(true);
    expect(record.attempts).toEqual([]);
  });

  it("replaces a connection whose delay exceeds the keepalive, and logs in despite the delay", async () => {
    await open();
    box.delay(1_200);
    await lost(record);
    record.states.length = 0;
    expect(record.attempts[0]?.reason).toBe("timeout");
    // The handshake takes a few round trips. The keepalive starts only after the login.
    await expect.poll(() => record.states.includes("authenticating"), pollOptions).toBe(true);
    box.heal();
    await expect.poll(() => record.tunnel.state, pollOptions).toBe("open");
    await expect.poll(() => web.state, pollOptions).toBe("open");
    expect(await echoes(web.port)).toBe(true);
  });

  it("logs in and carries data with one byte in each segment", async () => {
    const server = await behind(sshd);
    server.box.shatter();
    record = await watchedOpen(server, { keepAlive: { intervalMs: 2_000, countMax: 5 } });
    web = await forwardTo(record, await echo());
    expect(await echoes(web.port, 50_000)).toBe(true);
    expect(record.attempts).toEqual([]);
    expect(server.box.bytes.c2s).toBeGreaterThan(50_000);
  });

  for (const fault of ["reset", "close", "silence"] as const) {
    it(`does not end a target cleanly if the connection is lost by ${fault}`, async () => {
      await open();
      let ended: (how: string) => void = () => {};
      const end = new Promise<string>((resolve) => {
        ended = resolve;
      });
      const listener = await target((socket) => {
        socket.resume();
        socket.once("end", () => ended("a clean end"));
        socket.once("error", ({ code }: NodeJS.ErrnoException) => ended(code ?? "error"));
      });
      atEnd(() => listener.stop());
      const { port } = await forwardTo(record, listener);
      const visitor = await visit(port);
      await visitor.send("half of a sen");
      await expect.poll(() => listener.open, pollOptions).toBe(1);
      if (fault === "silence") box.silence("both", "open");
      else box[fault]();
      expect(await mustSettle("the target's end", end)).toBe("ECONNRESET");
      await comesBack();
      visitor.socket.destroy();
    });
  }

  it("reconnects after a reset during a rekey", async () => {
    await open({ rekey: { bytes: 400_000 }, keepAlive: { intervalMs: 700, countMax: 3 } });
    const source = await patternSource(50_000_000);
    atEnd(() => source.stop());
    const { port } = await forwardTo(record, source);
    const visitor = await visit(port);
    const heard = visitor.hashAll().catch(() => undefined);
    await expect.poll(() => record.tunnel.stats().rekeys, pollOptions).toBeGreaterThan(0);
    box.silence("s2c", "open");
    // Our KEXINIT is not answered, so all output stops before the server's window of 2 MiB is full.
    const before = box.bytes.c2s;
    expect((await settled(() => box.bytes.c2s)) - before).toBeLessThan(1_500_000);
    expect(web.state).toBe("open");
    box.reset();
    await comesBack();
    expect(record.attempts.map(({ reason }) => reason)).toEqual(["closed"]);
    await heard;
    visitor.socket.destroy();
  });

  it("replaces a connection that becomes silent during a rekey", async () => {
    await open({ rekey: { bytes: 400_000 } });
    const source = await patternSource(50_000_000);
    atEnd(() => source.stop());
    const { port } = await forwardTo(record, source);
    const visitor = await visit(port);
    const heard = visitor.hashAll().catch(() => undefined);
    await expect.poll(() => record.tunnel.stats().rekeys, pollOptions).toBeGreaterThan(0);
    const before = box.bytes.c2s;
    box.silence("s2c", "open");
    await lost(record);
    expect(record.attempts[0]?.reason).toBe("timeout");
    // Without a pending key exchange, the server's window of 2 MiB would have been filled.
    expect(box.bytes.c2s - before).toBeLessThan(1_500_000);
    await comesBack();
    await heard;
    visitor.socket.destroy();
  });
});

describe.skipIf(missing("sshd", "password"))("a tunnel with continual rekeys", () => {
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], config: { RekeyLimit: "64K" } });
  });
  afterAll(() => sshd.stop());
  leavesNothing();

  it("recovers from cuts at any byte, and never delivers a wrong one", async () => {
    await open({ rekey: { bytes: 65_536 } });
    const size = 3_000_000;
    let wrong = 0;
    for (let round = 1; round <= 12; round++) {
      await back(record, web, round - 1);
      const at = box.bytes.s2c + 7_919 * round * round;
      const visitor = await visit(web.port);
      const sent = visitor.sendAll(patternChunks(size, round)).then(
        () => visitor.end(),
        () => undefined,
      );
      const received = readUntilCut(visitor.socket);
      await expect.poll(() => box.bytes.s2c, { ...pollOptions, interval: 1 }).toBeGreaterThan(at);
      if (round % 2 === 0) box.reset();
      else box.close();
      const bytes = await received;
      await sent;
      visitor.socket.destroy();
      if (
        !Buffer.concat([...patternChunks(size, round)])
          .subarray(0, bytes.length)
          .equals(bytes)
      )
        wrong++;
    }
    expect(wrong).toBe(0);
    await comesBack(12);
  });

  it("carries megabytes without loss", async () => {
    await open({ rekey: { bytes: 65_536 } });
    const visitor = await visit(web.port);
    const sent = visitor.sendAll(patternChunks(5_000_000, 5)).then(() => visitor.end());
    expect(await visitor.hashAll()).toEqual({ bytes: 5_000_000, sha256: patternHash(5_000_000, 5) });
    await sent;
    expect(record.tunnel.stats().rekeys).toBeGreaterThan(20);
    expect(record.attempts).toEqual([]);
  });
});

/** Waits until a number has stopped changing. */
async function settled(number: () => number): Promise<number> {
  for (;;) {
    const before = number();
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (number() === before) return before;
  }
}

/** Reads up to the end or an error. */
async function readUntilCut(socket: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
  } catch {
    // A reset. The bytes before it count.
  }
  return Buffer.concat(chunks);
}
