import { expect, test } from "vitest";
import { askpassUse } from "../../src/terminal/askpass.ts";
import { createPrompts } from "../../src/terminal/prompts.ts";

const login = { user: "ann", host: "example.com", port: 22 };
const key = {
  host: "example.com",
  port: 22,
  hostKeyAlias: undefined,
  key: new Uint8Array(0),
  keyType: "ssh-ed25519",
  fingerprint: "SHA256:x",
  reason: "",
};

test("asks nothing in batch mode (ssh_config(5), BatchMode)", async () => {
  const prompts = createPrompts({ batchMode: true, env: { SSH_ASKPASS: "/bin/false", SSH_ASKPASS_REQUIRE: "force" } });
  await expect(prompts.password(login)).rejects.toMatchObject({ code: "credentials" });
  await expect(prompts.passphrase("/home/ann/.ssh/id_ed25519")).rejects.toMatchObject({ code: "credentials" });
  const request = { name: "", instruction: "", prompts: [{ prompt: "PIN: ", echo: false }] };
  await expect(prompts.keyboardInteractive(request, login)).rejects.toMatchObject({ code: "credentials" });
  expect(await prompts.confirmHostKey(key)).toBe(false);
  expect(await prompts.confirm("Really?")).toBe(false);
  expect(await prompts.askPermission("Share?")).toBe(false);
});

test("takes an empty answer of a program that fails, or that is not there, and says so", async () => {
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const env = { SSH_ASKPASS_REQUIRE: "force" };
  expect(await createPrompts({ print, env: { ...env, SSH_ASKPASS: "/bin/false" } }).password(login)).toBe("");
  expect(lines).toEqual([]);
  const missing = createPrompts({ print, env: { ...env, SSH_ASKPASS: "/nonexistent" } });
  expect(await missing.confirmHostKey(key)).toBe(false);
  expect(await missing.askPermission("Share?")).toBe(false);
  expect(lines[0]).toMatch(/^ssh_askpass: exec\(\/nonexistent\): /);
});

test("escapes what a server sent before it shows it", async () => {
  const lines: string[] = [];
  const prompts = createPrompts({
    print: (line) => void lines.push(line),
    env: { SSH_ASKPASS_REQUIRE: "force", SSH_ASKPASS: "/bin/echo" },
  });
  const bell = "\x1b]0;title\x07";
  const request = { name: bell, instruction: bell, prompts: [{ prompt: bell, echo: true }] };
  const shown = String.raw`\u{1b}]0;title\u{7}`;
  expect(await prompts.keyboardInteractive(request, { ...login, hostKeyAlias: "Alias" })).toEqual([
    `(ann@alias) ${shown}`,
  ]);
  expect(lines).toEqual([shown, shown]);
});

test("asks one question after the other", async () => {
  const prompts = createPrompts({ env: { SSH_ASKPASS_REQUIRE: "force", SSH_ASKPASS: "/bin/echo" } });
  const answers = await Promise.all([prompts.line("one"), prompts.line("two"), prompts.line("three")]);
  expect(answers).toEqual(["one", "two", "three"]);
});

test.each([
  [{}, "never"],
  [{ DISPLAY: "" }, "never"],
  [{ DISPLAY: ":0" }, "without-terminal"],
  [{ WAYLAND_DISPLAY: "wayland-0" }, "without-terminal"],
  [{ DISPLAY: ":0", SSH_ASKPASS_REQUIRE: "never" }, "never"],
  [{ DISPLAY: ":0", SSH_ASKPASS_REQUIRE: "Prefer" }, "always"],
  [{ SSH_ASKPASS_REQUIRE: "prefer" }, "never"],
  [{ SSH_ASKPASS_REQUIRE: "force" }, "always"],
])("uses SSH_ASKPASS with %j: %s (read_passphrase of OpenSSH's readpass.c)", (env, use) => {
  expect(askpassUse(env)).toBe(use);
});
