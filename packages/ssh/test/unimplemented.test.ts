/**
 * UNIMPLEMENTED as the answer to a global request: it fails the request whose packet it names (RFC 4253 section 11.4).
 */
import type { Liar } from "@postern/testkit";
import { GlobalRequest, RequestSuccess, Unimplemented } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { loggedIn, nothing, turns } from "./helpers.ts";

/** Collects the sequence numbers of the global requests that a liar reads from now on. */
function numbersOf(liar: Liar): number[] {
  const numbers: number[] = [];
  const next = liar.transport.next.bind(liar.transport);
  liar.transport.next = () => {
    const event = next();
    if (event?.type === "payload" && event.payload[0] === GlobalRequest.number) numbers.push(event.sequence);
    return event;
  };
  return numbers;
}

describe("UNIMPLEMENTED", () => {
  it.each(["outside a key exchange", "held during one"])("fails the request that it names, sent %s", async (when) => {
    const { liar, client } = await loggedIn();
    const numbers = numbersOf(liar);
    if (when === "held during one") client.rekey();
    const [a, b] = [client.request("a", nothing), client.request("b", nothing)];
    await turns();
    expect(numbers).toHaveLength(2);
    liar.send(Unimplemented.encode({ sequence: numbers[1] ?? 0 }), RequestSuccess.encode({ specificData: nothing }));
    expect([await a, await b]).toMatchObject([{ ok: true }, { ok: false }]);
    expect(client.stats().rekeys).toBe(when === "held during one" ? 1 : 0);
    liar.abort();
  });

  it("changes nothing when it names no pending request", async () => {
    const { liar, client } = await loggedIn();
    const numbers = numbersOf(liar);
    liar.send(Unimplemented.encode({ sequence: 3 }));
    const asked = client.request("a", nothing);
    await turns();
    liar.send(Unimplemented.encode({ sequence: (numbers[0] ?? 0) + 1 }));
    liar.send(RequestSuccess.encode({ specificData: nothing }));
    expect(await asked).toMatchObject({ ok: true });
    liar.abort();
  });

  it("names the packet after the request when it comes from tinysshd", async () => {
    const { liar, client } = await loggedIn({}, { version: "SSH-2.0-tinyssh_20230101 abcdefgh" });
    const numbers = numbersOf(liar);
    const asked = [client.request("a", nothing), client.request("b", nothing)];
    await turns();
    for (const number of numbers) liar.send(Unimplemented.encode({ sequence: number + 1 }));
    expect(await Promise.all(asked)).toMatchObject([{ ok: false }, { ok: false }]);
    liar.abort();
  });
});
