/** Keepalives in both directions, and servers that end idle connections or channels. */
import { type Forwarding, password, type ReverseTunnel } from "@postern/node";
import { beforeAll, describe, expect, it } from "vitest";
import { echoes, startHost } from "./harness/clients/host.ts";
import {
  atEnd,
  back,
  behind,
  echo,
  forwardTo,
  leavesNothing,
  lost,
  missing,
  openTunnel,
  pollOptions,
  type Sshd,
  shortTimeouts,
  sshdKnows,
  startDropbear,
  startSshd,
  target,
  userKey,
  visit,
  type Watched,
  watchedOpen,
} from "./harness/index.ts";

const quiet = { keepAlive: { intervalMs: 0 } } as const;
const seconds = (count: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_000 * count));

describe.skipIf(missing("sshd", "password"))("a tunnel through an sshd with timeouts", () => {
  let sshd: Sshd;
  let record: Watched;
  let web: Forwarding;
  const open = async (config: Record<string, string>, more: Parameters<typeof watchedOpen>[1] = {}): Promise<void> => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine], config });
    atEnd(() => sshd.stop());
    record = await watchedOpen(sshd, more);
    web = await forwardTo(record, await echo());
  };
  beforeAll(() => userKey());
  leavesNothing();

  // sshd sends a channel request if a channel is open, and a global request otherwise.
  for (const channel of ["without a channel", "with an open channel"]) {
    it(`answers ClientAliveInterval, ${channel}`, async () => {
      await open({ ClientAliveInterval: "1", ClientAliveCountMax: "1", LogLevel: "DEBUG3" }, quiet);
      const visitor = channel === "with an open channel" ? await visit(web.port) : undefined;
      await visitor?.send("before");
      await visitor?.read(6);
      // Message 98 is a channel request, 80 a global one; 100 and 82 are the answers.
      const [asks, answers] = visitor === undefined ? [80, 82] : [98, 100];
      const answered = new RegExp(`send packet: type ${asks}$[^]*?receive packet: type ${answers}$`, "gm");
      await expect.poll(() => count(sshd.log(), answered), pollOptions).toBeGreaterThan(2);
      await visitor?.send(" and after");
      if (visitor !== undefined) expect((await visitor.read(10)).toString()).toBe(" and after");
      visitor?.socket.destroy();
      expect([record.tunnel.state, record.attempts]).toEqual(["open", []]);
      expect(sshd.log()).not.toMatch(/Timeout, client not responding/);
    });
  }

  it("reconnects after ClientAliveInterval has dropped it without a message", async () => {
    sshd = await startSshd({
      authorizedKeys: [(await userKey()).publicLine],
      config: { ClientAliveInterval: "1", ClientAliveCountMax: "1" },
    });
    atEnd(() => sshd.stop());
    const { box, ...server } = await behind(sshd);
    record = await watchedOpen(server, quiet);
    web = await forwardTo(record, await echo());
    box.silence("c2s", "open");
    await lost(record);
    expect(record.attempts[0]?.reason).toBe("closed");
    await back(record, web);
    expect(await echoes(web.port)).toBe(true);
  });

  it.skipIf(!sshdKnows("UnusedConnectionTimeout", "2s"))(
    "reconnects after UnusedConnectionTimeout, which ends an idle connection without a message",
    async () => {
      await open({ UnusedConnectionTimeout: "2s" });
      await back(record, web);
      expect(record.attempts.map(({ reason }) => reason)).toEqual(["closed"]);
      expect(await echoes(web.port)).toBe(true);
    },
  );

  it("reconnects after a middlebox has ended an idle connection without a message, as UnusedConnectionTimeout does", async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    atEnd(() => sshd.stop());
    const { box, ...server } = await behind(sshd);
    record = await watchedOpen(server);
    web = await forwardTo(record, await echo());
    for (let times = 1; times <= 3; times++) {
      box.close();
      await back(record, web, times);
    }
    expect(record.attempts.map(({ reason }) => reason)).toEqual(["closed", "closed", "closed"]);
  });

  it.skipIf(!sshdKnows("ChannelTimeout", "forwarded-tcpip=2s"))(
    "loses only the idle channel to ChannelTimeout",
    async () => {
      await open({ ChannelTimeout: "forwarded-tcpip=2s" });
      const ends: string[] = [];
      const listener = await target((socket) => {
        socket.resume();
        socket.once("close", () => ends.push("closed"));
        socket.once("end", () => socket.end());
      });
      atEnd(() => listener.stop());
      const idle = await forwardTo(record, listener);
      const visitor = await visit(idle.port);
      await visitor.send("and then nothing");
      expect((await visitor.readAll()).length).toBe(0);
      visitor.socket.destroy();
      await expect.poll(() => ends, pollOptions).toEqual(["closed"]);
      await expect.poll(() => idle.stats().open, pollOptions).toBe(0);
      expect([record.tunnel.state, record.attempts]).toEqual(["open", []]);
      expect(await echoes(web.port)).toBe(true);
    },
  );
});

describe("a tunnel whose keepalives are answered", () => {
  leavesNothing();
  const expectOpen = async (tunnel: ReverseTunnel): Promise<void> => {
    const attempts: unknown[] = [];
    tunnel.addEventListener("reconnectattempt", ({ reason }) => attempts.push(reason));
    await expect.poll(() => tunnel.stats().roundTripMs, pollOptions).toBeDefined();
    // Far longer than the keepalive would wait for a server that does not answer.
    await seconds(2);
    expect([tunnel.state, attempts]).toEqual(["open", []]);
  };

  it.skipIf(missing("sshd"))("stays open if sshd answers with failure", async () => {
    const sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    atEnd(() => sshd.stop());
    await expectOpen((await watchedOpen(sshd)).tunnel);
  });

  it.skipIf(missing("dropbear"))("stays open with dropbear", async () => {
    const dropbear = await startDropbear({ authorizedKeys: [(await userKey()).publicLine] });
    atEnd(() => dropbear.stop());
    await expectOpen((await watchedOpen(dropbear)).tunnel);
  });

  it.skipIf(missing("ssh"))("stays open with TunnelHost", async () => {
    const server = await startHost();
    atEnd(() => server.stop());
    const tunnel = await openTunnel(server, { auth: [password(server.password)], ...shortTimeouts });
    atEnd(() => tunnel.close());
    await expectOpen(tunnel);
  });
});

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}
