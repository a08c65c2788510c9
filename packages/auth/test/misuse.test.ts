/** Login methods with arguments of wrong types. */
import { describe, expect, it } from "vitest";
import { keyboardInteractive, password, publickey } from "../src/index.ts";
import { context } from "./context.ts";

const misuse = (message: RegExp): unknown =>
  expect.objectContaining({ code: "misuse", message: expect.stringMatching(message) });

describe("a login method", () => {
  it.each([
    [() => password(undefined as never), "a password", "undefined"],
    [() => password(null as never), "a password", "null"],
    [() => password(5 as never), "a password", "a number"],
    [() => password(Promise.resolve("secret") as never), "a password", "a Promise; did you forget await?"],
    [() => password("secret", { onChange: "new" as never }), "onChange", "a string"],
    [() => keyboardInteractive("secret" as never), "answer", "a string"],
    [() => publickey(undefined as never), "a signer", "undefined"],
    [() => publickey("-----BEGIN" as never), "a signer", "a string"],
    [() => publickey({ algorithms: ["ssh-ed25519"] } as never), "the public key of a signer", "undefined"],
  ])("throws misuse when it is created: %s", (create, name, got) => {
    expect(create).toThrow(misuse(new RegExp(`^expected ${name} to be .*, got ${got.replace("?", "[?]")}$`)));
  });

  it.each([
    [null, "null"],
    [5, "a number"],
    [["secret"], "an array"],
  ])("rejects a password of a function that is not a string (%o)", async (value, type) => {
    const message = new RegExp(`^expected a password to be a string, got ${type}$`);
    for (const secret of [() => value, async () => value]) {
      const dialog = password(secret as unknown as () => string).begin(context);
      await expect((async () => await dialog.next(undefined))()).rejects.toEqual(misuse(message));
    }
  });
});
