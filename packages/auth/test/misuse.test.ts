/** Login methods of wrong types: a mistake is named when the method is made, or gives the method up. */
import { describe, expect, it } from "vitest";
import { keyboardInteractive, password, publickey } from "../src/index.ts";

const misuse = (message: string): unknown => expect.objectContaining({ code: "misuse", message });

describe("a login method", () => {
  it.each([
    [() => password(undefined as never), "expected the password to be a function, got undefined"],
    [() => password(null as never), "expected the password to be a function, got null"],
    [() => password(5 as never), "expected the password to be a function, got number"],
    [() => password(Promise.resolve("secret") as never), "expected the password to be a function, got Promise"],
    [() => password("secret", { change: "new" as never }), "expected change to be a function, got string"],
    [
      () => keyboardInteractive("secret" as never),
      "expected the answers of keyboardInteractive to be a function, got string",
    ],
    [() => publickey(undefined as never), "expected a signer, got undefined"],
    [() => publickey("-----BEGIN" as never), "expected a signer, got string"],
    [() => publickey({ algorithms: ["ssh-ed25519"] } as never), "expected a signer, got Object"],
  ])("is refused when it is made: %s", (make, message) => {
    expect(make).toThrow(misuse(message));
  });

  it.each([
    [null, "null"],
    [5, "number"],
    [["secret"], "Array"],
  ])("converts no password that a function gives (%o)", async (given, kind) => {
    const context = { user: "test", sessionId: new Uint8Array(32), serverAlgorithms: undefined, signal: undefined };
    const message = `expected the password to be a string, got ${kind}`;
    for (const secret of [() => given, async () => given]) {
      const dialog = password(secret as unknown as () => string).begin(context);
      await expect((async () => await dialog.next(undefined))()).rejects.toEqual(misuse(message));
    }
  });
});
