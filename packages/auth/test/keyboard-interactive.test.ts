import { UserauthInfoRequest, UserauthInfoResponse, UserauthRequest } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { keyboardInteractive } from "../src/index.ts";

const context = { user: "test", sessionId: new Uint8Array(32), serverAlgorithms: undefined, signal: undefined };
const asks = (name: string, ...prompts: string[]): Uint8Array =>
  UserauthInfoRequest.encode({
    name,
    instruction: "",
    language: "",
    prompts: prompts.map((prompt) => ({ prompt, echo: false })),
  });

describe("keyboardInteractive", () => {
  it("asks for the method without hints (RFC 4256 3.1)", async () => {
    const dialog = keyboardInteractive(() => []).begin(context);
    const payload = await dialog.next(undefined);
    expect(UserauthRequest.decode(payload!)).toMatchObject({ user: "test", method: "keyboard-interactive" });
    expect(UserauthRequest.decode(payload!).specific).toEqual(new Uint8Array(8));
  });

  it("gives one answer for each prompt, now or later (RFC 4256 3.4)", async () => {
    for (const later of [false, true]) {
      const answer = ({ prompts }: { readonly prompts: readonly { readonly prompt: string }[] }) => {
        const given = prompts.map(({ prompt }) => `to ${prompt}`);
        return later ? Promise.resolve(given) : given;
      };
      const dialog = keyboardInteractive(answer).begin(context);
      const payload = await dialog.next(asks("", "one", "two"));
      expect(UserauthInfoResponse.decode(payload!)).toEqual({ responses: ["to one", "to two"] });
    }
  });

  it("answers an empty request by itself, and shows an announcement (RFC 4256 3.2)", async () => {
    const shown: string[] = [];
    const dialog = keyboardInteractive(({ name }) => {
      shown.push(name);
      return ["nobody asked"];
    }).begin(context);
    const empty = UserauthInfoResponse.encode({ responses: [] });
    expect(await dialog.next(asks(""))).toEqual(empty);
    expect(shown).toEqual([]);
    expect(await dialog.next(asks("Your password expires tomorrow"))).toEqual(empty);
    expect(shown).toEqual(["Your password expires tomorrow"]);
  });

  it("is given up when the answers do not fit the prompts", async () => {
    const dialog = keyboardInteractive(() => ["one"]).begin(context);
    expect(() => dialog.next(asks("", "one", "two"))).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});
