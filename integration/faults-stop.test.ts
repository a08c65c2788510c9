/** Stopping a tunnel at every moment of its life: nothing hangs, nothing is left, and it can be used again. */
import { type AuthMethod, privateKey, type TunnelOptions } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { echoes } from "./harness/clients/host.ts";
import {
  behind,
  echo,
  forwardTo,
  freePort,
  isListening,
  leavesNothing,
  type Middlebox,
  missing,
  mustSettle,
  patience,
  type Sshd,
  startSshd,
  userKey,
  type Watched,
  watched,
  watchedOpen,
} from "./harness/index.ts";

/** A way to get stuck while a connection is made. */
interface Stop {
  readonly options?: Partial<TunnelOptions>;
  /** Lays the trap for the next connection; resolves when it has snapped. */
  trap(box: Middlebox, record: Watched): Promise<unknown>;
}

interface Moment {
  readonly name: string;
  /** @param quick how many connections the program lets pass before it is slow */
  make(quick: number): Stop;
}

let userKeyText = "";

/** A program that is asked, and answers only so many times. */
function slowProgram(quick: number): {
  readonly isAsked: Promise<void>;
  answers<T>(answer: () => T): T | Promise<never>;
} {
  let left = quick;
  let asked: () => void = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  return {
    isAsked,
    answers(answer) {
      if (left-- > 0) return answer();
      asked();
      return new Promise<never>(() => {});
    },
  };
}

const silentAfter = (name: string, way: "c2s" | "s2c", after: { bytes: number } | { steps: number }): Moment => ({
  name,
  make: () => ({
    trap: (box) => {
      box.cutNext({ way, cut: "silence", after });
      return box.reached;
    },
  }),
});
const messages = ["the identification", "KEXINIT", "the key exchange", "NEWKEYS", "the first encrypted segment"];

const moments: readonly Moment[] = [
  silentAfter("the host has not said a word", "s2c", { bytes: 0 }),
  ...messages.map((name, index) => silentAfter(`${name} of the client has passed`, "c2s", { steps: index + 1 })),
  ...[...messages, "the second encrypted segment"].map((name, index) =>
    silentAfter(`${name} of the host has passed`, "s2c", { steps: index + 1 }),
  ),
  {
    name: "the program thinks about the host key",
    make: (quick) => {
      const program = slowProgram(quick);
      return { options: { hostKey: () => program.answers(() => true) }, trap: () => program.isAsked };
    },
  },
  {
    name: "the program thinks about its login",
    make: (quick) => {
      const program = slowProgram(quick);
      const method = privateKey(userKeyText);
      const slow: AuthMethod = {
        ...method,
        begin(context) {
          const dialog = method.begin(context);
          return {
            next: (answer) => (answer === undefined ? program.answers(() => dialog.next(answer)) : dialog.next(answer)),
          };
        },
      };
      return { options: { auth: [slow] }, trap: () => program.isAsked };
    },
  },
  {
    name: "the next attempt is waited for",
    make: () => ({
      options: { reconnect: { intervalMs: 60_000 } },
      trap: async (box, { tunnel }) => {
        box.cutNext({ way: "c2s", cut: "reset", after: { bytes: 1 } });
        await expect.poll(() => tunnel.state, patience).toBe("waiting");
      },
    }),
  },
  {
    name: "the program thinks before the next attempt",
    make: () => {
      const program = slowProgram(0);
      return {
        options: { beforeReconnect: () => program.answers(() => undefined) },
        trap: (box) => {
          box.cutNext({ way: "c2s", cut: "reset", after: { bytes: 1 } });
          return program.isAsked;
        },
      };
    },
  },
];

/** Nothing more is told, and nobody connects again: an attempt would have been made by now. */
async function isOver({ tunnel, states }: Watched, box: Middlebox): Promise<void> {
  const told = [...states];
  const { accepted } = box;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([tunnel.state, states.at(-1), states, box.accepted]).toEqual(["closed", "closed", told, accepted]);
}

describe.skipIf(missing("sshd", "password"))("a tunnel", () => {
  let sshd: Sshd;
  beforeAll(async () => {
    userKeyText = (await userKey()).privateText;
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
  });
  afterAll(() => sshd.stop());
  leavesNothing();

  for (const { name, make } of moments) {
    it(`that is logged off when ${name} ends its login with \`aborted\``, async () => {
      const { options, trap } = make(0);
      const { box, ...server } = await behind(sshd);
      const record = await watched(server, { ...options, reconnect: { ...options?.reconnect, mode: "always" } });
      const trapped = trap(box, record);
      const login = mustSettle("login", record.tunnel.connect()).catch((error: unknown) => error);
      await trapped;
      await mustSettle("logoff", record.tunnel.close());
      expect(await login).toMatchObject({ name: "SshError", code: "aborted" });
      await expect(record.tunnel.closed).rejects.toMatchObject({ code: "aborted" });
      await isOver(record, box);
    });

    it(`that is aborted when ${name} ends its login with the signal's reason, and a new tunnel can log in`, async () => {
      const { options, trap } = make(0);
      const { box, ...server } = await behind(sshd);
      const record = await watched(server, { ...options, reconnect: { ...options?.reconnect, mode: "always" } });
      const trapped = trap(box, record);
      const controller = new AbortController();
      const login = mustSettle("login", record.tunnel.connect({ signal: controller.signal })).catch(
        (error: unknown) => error,
      );
      await trapped;
      const reason = new Error("enough");
      controller.abort(reason);
      expect(await login).toMatchObject({ name: "SshError", code: "aborted", cause: reason });
      await isOver(record, box);
      if (options?.hostKey !== undefined || options?.auth !== undefined) return;
      box.heal();
      await expect(record.tunnel.connect()).rejects.toMatchObject({ code: "misuse" });
      expect((await watchedOpen(server)).tunnel.state).toBe("open");
    });

    it(`that was open and is logged off when ${name} simply ends`, async () => {
      const { options, trap } = make(1);
      const { box, ...server } = await behind(sshd);
      const record = await watchedOpen(server, options);
      const web = await forwardTo(record, await echo(), { port: await freePort() });
      const trapped = trap(box, record);
      box.reset();
      await trapped;
      expect([record.tunnel.state !== "open", web.state]).toEqual([true, "pending"]);
      await mustSettle("logoff", record.tunnel.close());
      await record.tunnel.closed;
      await web.closed;
      await isOver(record, box);
    });
  }

  it("gives a request for a port up when it is aborted, and the port with it", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server, { keepAlive: { intervalMs: 0 } });
    const target = await echo();
    const port = await freePort();
    const controller = new AbortController();
    box.silence("s2c");
    const request = record.tunnel.forward({
      port,
      target: { host: "127.0.0.1", port: target.port },
      signal: controller.signal,
    });
    await expect.poll(() => isListening(port), patience).toBe(true);
    controller.abort();
    await expect(mustSettle("request", request)).rejects.toMatchObject({ code: "aborted" });
    box.heal();
    // The host's answer comes too late: nobody wants the port any more.
    await expect.poll(() => isListening(port), patience).toBe(false);
    const web = await forwardTo(record, target, { port });
    expect(await echoes(web.port)).toBe(true);
  });

  it("ends requests for ports and cancellations that are under way when it is logged off", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server, { keepAlive: { intervalMs: 0 } });
    const target = await echo();
    const web = await forwardTo(record, target);
    box.silence();
    const request = mustSettle("request", forwardTo(record, target)).catch((error: unknown) => error);
    const cancel = mustSettle("cancel", web.close()).catch((error: unknown) => error);
    const probe = mustSettle("probe", web.probe()).catch((error: unknown) => error);
    const logoff = mustSettle("logoff", record.tunnel.close());
    expect(await request).toMatchObject({ name: "SshError", code: "closed" });
    expect(await probe).toMatchObject({ name: "SshError", code: "closed" });
    await cancel;
    expect([record.tunnel.state, web.state]).toEqual(["closed", "closed"]);
    // A silent host is not waited for without end.
    await logoff;
  });

  it("frees a pending forwarding that is cancelled, and does not ask for it again", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server);
    const port = await freePort();
    const web = await forwardTo(record, await echo(), { port });
    await box.down();
    box.reset();
    await expect.poll(() => web.state, patience).toBe("pending");
    await mustSettle("cancel", web.close());
    await web.closed;
    await box.up();
    await expect.poll(() => record.tunnel.state, patience).toBe("open");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([isListening(port), record.tunnel.forwardings]).toEqual([false, []]);
  });

  it("drains while the host is silent no longer than its deadline", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server, { keepAlive: { intervalMs: 0 } });
    const web = await forwardTo(record, await echo());
    box.silence();
    await mustSettle("drain", record.tunnel.close({ drainMs: 300 }));
    expect([record.tunnel.state, web.state]).toEqual(["closed", "closed"]);
  });
});
