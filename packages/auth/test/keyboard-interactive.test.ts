import { UserauthInfoRequest, UserauthInfoResponse, UserauthRequest } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { keyboardInteractive } from "../src/index.ts";
import { context, payloadOf } from "./context.ts";

const asks = (name: string, ...prompts: string[]): Uint8Array =>
  UserauthInfoRequest.encode({
    name,
    instruction: "",
    language: "",
    prompts: prompts.map((prompt) => ({ prompt, echo: false })),
  });

describe("keyboardInteractive", () => {
  it("requests the method without hints (RFC 4256 3.1)", async () => {
    const dialog = keyboardInteractive(() => []).begin(context);
    const payload = await dialog.next(undefined);
    expect(UserauthRequest.decode(payloadOf(payload))).toMatchObject({ user: "test", method: "keyboard-interactive" });
    expect(UserauthRequest.decode(payloadOf(payload)).specificData).toEqual(new Uint8Array(8));
  });

  it("sends one answer for each prompt, synchronous or not (RFC 4256 3.4)", async () => {
    for (const isAsync of [false, true]) {
      const answer = ({ prompts }: { readonly prompts: readonly { readonly prompt: string }[] }) => {
        const responses = prompts.map(({ prompt }) => `to ${prompt}`);
        return isAsync ? Promise.resolve(responses) : responses;
      };
      const dialog = keyboardInteractive(answer).begin(context);
      const payload = await dialog.next(asks("", "one", "two"));
      expect(UserauthInfoResponse.decode(payloadOf(payload))).toEqual({ responses: ["to one", "to two"] });
    }
  });

  it("passes empty answers on, and others in UTF-8 (RFC 4256 3.3 and 3.4)", async () => {
    const dialog = keyboardInteractive(() => ["", "grün"]).begin(context);
    const payload = payloadOf(await dialog.next(asks("", "one", "two")));
    expect([...payload.subarray(5)]).toEqual([0, 0, 0, 0, 0, 0, 0, 5, 0x67, 0x72, 0xc3, 0xbc, 0x6e]);
  });

  it("answers an empty request, and calls `answer` with an announcement (RFC 4256 3.2)", async () => {
    const shown: string[] = [];
    const dialog = keyboardInteractive(({ name }) => {
      shown.push(name);
      return ["ignored"];
    }).begin(context);
    const empty = UserauthInfoResponse.encode({ responses: [] });
    expect(await dialog.next(asks(""))).toEqual(empty);
    expect(shown).toEqual([]);
    expect(await dialog.next(asks("Your password expires tomorrow"))).toEqual(empty);
    expect(shown).toEqual(["Your password expires tomorrow"]);
  });

  it("escapes control characters in names, instructions and prompts (RFC 4256 3.3)", async () => {
    const shown: unknown[] = [];
    const dialog = keyboardInteractive((request) => [String(shown.push(request))]).begin(context);
    const prompts = [{ prompt: "1. phone\n2. \u001b]0;x\u0007", echo: true }];
    await dialog.next(
      UserauthInfoRequest.encode({ name: "a\nb\u009b", instruction: "one\r\n\u202etwo", language: "", prompts }),
    );
    expect(shown).toEqual([
      {
        name: "a\\u{a}b\\u{9b}",
        instruction: "one\n\\u{202e}two",
        prompts: [{ prompt: "1. phone\n2. \\u{1b}]0;x\\u{7}", echo: true }],
      },
    ]);
  });

  it("fails if the answers are not strings", async () => {
    expect(() => keyboardInteractive(["secret"] as never)).toThrow(expect.objectContaining({ code: "misuse" }));
    for (const answers of [null, "s", [null], [7], [Promise.resolve("secret")], { length: 1 }]) {
      const dialog = keyboardInteractive(() => answers as never).begin(context);
      expect(() => dialog.next(asks("", "one"))).toThrow(expect.objectContaining({ code: "misuse" }));
      const delayed = keyboardInteractive(() => Promise.resolve(answers as never)).begin(context);
      await expect(delayed.next(asks("", "one"))).rejects.toMatchObject({ code: "misuse" });
    }
  });

  it("fails if the number of answers is not that of the prompts", async () => {
    const dialog = keyboardInteractive(() => ["one"]).begin(context);
    expect(() => dialog.next(asks("", "one", "two"))).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});
