/** Calls between a host and its workers. */
import { SshError } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { Link } from "../src/workers/link.ts";

interface Functions {
  value(given: unknown): unknown;
}

/** Two ends that exchange copies of their messages, as processes do. */
function linkTo(value: (given: unknown) => unknown): Link<Functions, object> {
  const near: Link<Functions, object> = new Link<Functions, object>(
    (message) => far.receive(structuredClone(message)),
    {},
  );
  const far: Link<object, Functions> = new Link<object, Functions>(
    (message) => near.receive(structuredClone(message)),
    { value },
  );
  return near;
}

describe("a call of a function in another process", () => {
  it("rejects if the function returns a value that cannot be cloned", async () => {
    for (const result of [() => {}, Symbol("x"), Promise.resolve({ inner: () => {} })]) {
      await expect(linkTo(() => result).call("value", 1)).rejects.toThrow(/could not be cloned/);
    }
    expect(await linkTo((given) => given).call("value", 1)).toBe(1);
  });

  it("rejects if an argument cannot be cloned, and forgets the call", async () => {
    const sent: unknown[] = [];
    const link = new Link<Functions, object>((message) => void sent.push(structuredClone(message)), {});
    await expect(link.call("value", () => {})).rejects.toThrow(/could not be cloned/);
    let reads = 0;
    const answerTo = (number: number) => ({
      ...{ type: "result", number },
      get value() {
        return ++reads;
      },
    });
    link.receive(answerTo(1));
    expect([reads, sent]).toEqual([0, []]);
    const next = link.call("value", 1);
    link.receive(answerTo(2));
    expect(await next).toBe(1);
  });

  it("rejects with the error of the function", async () => {
    const call = linkTo(() => {
      throw new SshError("refused", "no");
    }).call("value", 1);
    await expect(call).rejects.toMatchObject({ code: "refused", message: "no" });
  });
});
