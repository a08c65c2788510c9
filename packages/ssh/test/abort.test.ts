/** Logins that end by their deadline or by a signal, at every moment. Nothing is left behind. */
import { password } from "@postern/auth";
import { pipePair } from "@postern/testkit";
import { SshError } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { accept, type ClientOptions, connect } from "../src/index.ts";
import { lyingClient, lyingServer, rejection, tapped, timers, turns } from "./helpers.ts";
import { clientOptions, serverOptions } from "./world.ts";

describe("a login that takes too long", () => {
  it("rejects at its deadline, at whatever step it hangs, and leaves no timer", async () => {
    const never = new Promise<never>(() => {});
    const hanging: Partial<ClientOptions>[] = [{}, { hostKey: () => never }, { auth: [password(() => never)] }];
    for (const options of hanging) {
      const { liar, connected } = lyingServer({}, { loginTimeoutMs: 20, ...options });
      expect(await rejection(connected)).toMatchObject({
        code: "timeout",
        message: "expected login to complete within 20 ms",
      });
      liar.end();
      await liar.closed;
    }
    const { liar, served } = lyingClient({ loginTimeoutMs: 20 });
    expect(await rejection(served)).toMatchObject({ code: "timeout" });
    liar.end();
    await liar.closed;
    await turns();
    expect(timers()).toBe(0);
  });
});

describe("an aborted login", () => {
  it("sends nothing if aborted before it begins", async () => {
    const [left, right] = pipePair();
    const heard: string[] = [];
    right.start({
      data: () => void heard.push("data"),
      end: () => void heard.push("end"),
      drain() {},
      closed: () => void heard.push("closed"),
    });
    const signal = AbortSignal.abort("why");
    expect(await rejection(connect(left, { ...clientOptions("x"), signal }))).toBe("why");
    await turns();
    expect(heard).toEqual(["closed"]);
    expect(await rejection(accept(pipePair()[0], { ...serverOptions("x"), signal }))).toBe("why");
  });

  it("rejects with the signal's reason at every moment, and leaves nothing behind", async () => {
    let moment = 0;
    for (let done = false; !done; moment++) {
      const abort = new AbortController();
      let left = moment;
      const [ours, theirs] = pipePair();
      const tick = (): void => {
        if (left-- === 0) abort.abort(new Error("why"));
      };
      const step = async <T>(value: T): Promise<T> => {
        tick();
        await Promise.resolve();
        tick();
        return value;
      };
      const client = connect(tapped(ours, tick, 100), {
        ...clientOptions("abort"),
        signal: abort.signal,
        hostKey: () => step(true),
        auth: [password(() => step("secret"))],
      });
      const server = accept(tapped(theirs, tick, 100), serverOptions("abort"));
      const [outcome, served] = await Promise.allSettled([client, server]);
      if (outcome.status === "fulfilled") {
        done = true;
        await Promise.all([outcome.value.close(), served.status === "fulfilled" && rejection(served.value.closed)]);
      } else expect(outcome.reason, `moment ${moment}`).toMatchObject({ name: "Error", message: "why" });
      if (served.status === "rejected") expect(served.reason).toBeInstanceOf(SshError);
      else if (!done) await rejection(served.value.closed);
      await turns();
    }
    expect(moment).toBeGreaterThan(20);
    expect(timers()).toBe(0);
  });
});
