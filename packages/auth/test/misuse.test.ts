/** Login methods of wrong types: a mistake is named when the method is made, or gives the method up. */
import { describe, expect, it } from "vitest";
import { keyboardInteractive, password, publickey } from "../src/index.ts";

const misuse = (message: RegExp): unknown =>
  expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) });

describe("a login method", () => {
  it.each([
    [() => password(undefined as never), "a password", "undefined"],
    [() => password(null as never), "a password", "null"],
    [() => password(5 as never), "a password", "a number"],
    [() => password(Promise.resolve("secret") as never), "a password", "a Promise; did you forget await?"],
    [() => password("secret", { change: "new" as never }), "change", "a string"],
    [() => keyboardInteractive("secret" as never), "the function that answers", "a string"],
    [() => publickey(undefined as never), "a signer", "undefined"],
    [() => publickey("-----BEGIN" as never), "a signer", "a string"],
    [() => publickey({ algorithms: ["ssh-ed25519"] } as never), "the public key of a signer", "undefined"],
  ])("is refused when it is made: %s", (make, what, got) => {
    expect(make).toThrow(misuse(new RegExp(`^expected ${what} to be .*, got ${got.replace("?", "[?]")}$`)));
  });

  it.each([
    [null, "null"],
    [5, "a number"],
    [["secret"], "an array"],
  ])("converts no password that a function gives (%o)", async (given, kind) => {
    const context = { user: "test", sessionId: new Uint8Array(32), serverAlgorithms: undefined, signal: undefined };
    const message = new RegExp(`^expected a password to be a string, got ${kind}$`);
    for (const secret of [() => given, async () => given]) {
      const dialog = password(secret as unknown as () => string).begin(context);
      await expect((async () => await dialog.next(undefined))()).rejects.toEqual(misuse(message));
    }
  });
});
