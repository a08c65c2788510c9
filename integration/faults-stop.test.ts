/** Closes or aborts a tunnel at every moment of its life. Nothing may hang or be left. */
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
  pollOptions,
  type Sshd,
  startSshd,
  userKey,
  type Watched,
  watched,
  watchedOpen,
} from "./harness/index.ts";

/** A way to stop the progress of a connection. */
interface Stop {
  readonly options?: Partial<TunnelOptions>;
  /** Arms the stop for the next connection. Resolves once the connection has stopped. */
  trap(box: Middlebox, record: Watched): Promise<unknown>;
}

interface Moment {
  readonly name: string;
  /** @param quick the number of connections that the program answers at once */
  make(quick: number): Stop;
}

let userKeyText = "";

/** A program whose callbacks answer `quick` times, and then never settle. */
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
  silentAfter("the server has sent nothing", "s2c", { bytes: 0 }),
  ...messages.map((name, index) => silentAfter(`${name} of the client has passed`, "c2s", { steps: index + 1 })),
  ...[...messages, "the second encrypted segment"].map((name, index) =>
    silentAfter(`${name} of the server has passed`, "s2c", { steps: index + 1 }),
  ),
  {
    name: "the host key callback is pending",
    make: (quick) => {
      const program = slowProgram(quick);
      return { options: { hostKey: () => program.answers(() => true) }, trap: () => program.isAsked };
    },
  },
  {
    name: "the login callback is pending",
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
    name: "the tunnel waits for the next attempt",
    make: () => ({
      options: { reconnect: { intervalMs: 60_000 } },
      trap: async (box, { tunnel }) => {
        box.cutNext({ way: "c2s", cut: "reset", after: { bytes: 1 } });
        await expect.poll(() => tunnel.state, pollOptions).toBe("waiting");
      },
    }),
  },
  {
    name: "beforeReconnect is pending",
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

/** Expects no further event and no further connection; the time suffices for an attempt. */
async function isOver({ tunnel, states }: Watched, box: Middlebox): Promise<void> {
  const told = [...states];
  const { accepted } = box;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([tunnel.state, states.at(-1), states, box.accepted]).toEqual(["closed", "closed", told, accepted]);
}

describe.skipIf(missing("sshd", "password"))("a tunnel that is stopped", () => {
  let sshd: Sshd;
  beforeAll(async () => {
    userKeyText = (await userKey()).privateText;
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
  });
  afterAll(() => sshd.stop());
  leavesNothing();

  for (const { name, make } of moments) {
    it(`rejects connect() with \`aborted\` if it is closed while ${name}`, async () => {
      const { options, trap } = make(0);
      const { box, ...server } = await behind(sshd);
      const record = await watched(server, { ...options, reconnect: { ...options?.reconnect, mode: "always" } });
      const trapped = trap(box, record);
      const login = mustSettle("login", record.tunnel.connect()).catch((error: unknown) => error);
      await trapped;
      await mustSettle("close", record.tunnel.close());
      expect(await login).toMatchObject({ name: "SshError", code: "aborted" });
      await expect(record.tunnel.closed).rejects.toMatchObject({ code: "aborted" });
      await isOver(record, box);
    });

    it(`rejects connect() if it is aborted while ${name}, and lets a new tunnel log in`, async () => {
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
      expect(await login).toBe(reason);
      await isOver(record, box);
      box.heal();
      await expect(record.tunnel.connect()).rejects.toMatchObject({ code: "misuse" });
      expect((await watchedOpen(server)).tunnel.state).toBe("open");
    });

    it(`resolves \`closed\` if it was open and is closed while ${name}`, async () => {
      const { options, trap } = make(1);
      const { box, ...server } = await behind(sshd);
      const record = await watchedOpen(server, options);
      const web = await forwardTo(record, await echo(), { port: await freePort() });
      const trapped = trap(box, record);
      box.reset();
      await trapped;
      expect([record.tunnel.state !== "open", web.state]).toEqual([true, "pending"]);
      await mustSettle("close", record.tunnel.close());
      await record.tunnel.closed;
      await web.closed;
      await isOver(record, box);
    });
  }

  it("releases the port of an aborted request", async () => {
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
    await expect.poll(() => isListening(port), pollOptions).toBe(true);
    controller.abort();
    await expect(mustSettle("request", request)).rejects.toBe(controller.signal.reason);
    box.heal();
    // The server's answer arrives after the abort, so the tunnel cancels the port.
    await expect.poll(() => isListening(port), pollOptions).toBe(false);
    const web = await forwardTo(record, target, { port });
    expect(await echoes(web.port)).toBe(true);
  });

  it("ends pending requests, closes and probes if it is closed", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server, { keepAlive: { intervalMs: 0 } });
    const target = await echo();
    const web = await forwardTo(record, target);
    box.silence();
    const request = mustSettle("request", forwardTo(record, target)).catch((error: unknown) => error);
    const closing = mustSettle("close of the forwarding", web.close()).catch((error: unknown) => error);
    const probe = mustSettle("probe", web.probe()).catch((error: unknown) => error);
    const closed = mustSettle("close", record.tunnel.close());
    expect(await request).toMatchObject({ name: "SshError", code: "closed" });
    expect(await probe).toMatchObject({ name: "SshError", code: "closed" });
    await closing;
    expect([record.tunnel.state, web.state]).toEqual(["closed", "closed"]);
    // `close` must not wait for a silent server without end.
    await closed;
  });

  it("drops a pending forwarding that is closed, and does not request its port again", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server);
    const port = await freePort();
    const web = await forwardTo(record, await echo(), { port });
    await box.down();
    box.reset();
    await expect.poll(() => web.state, pollOptions).toBe("pending");
    await mustSettle("close of the forwarding", web.close());
    await web.closed;
    await box.up();
    await expect.poll(() => record.tunnel.state, pollOptions).toBe("open");
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([isListening(port), record.tunnel.forwardings]).toEqual([false, []]);
  });

  it("closes at the deadline of a drain while the server is silent", async () => {
    const { box, ...server } = await behind(sshd);
    const record = await watchedOpen(server, { keepAlive: { intervalMs: 0 } });
    const web = await forwardTo(record, await echo());
    box.silence();
    await mustSettle("close with drainMs", record.tunnel.close({ drainMs: 300 }));
    expect([record.tunnel.state, web.state]).toEqual(["closed", "closed"]);
  });
});
