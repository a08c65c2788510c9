/** AddKeysToAgent with the agent of OpenSSH. */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import {
  type Agent,
  isThorough,
  startAgent,
  startSshd,
  type TempDir,
  tempDir,
} from "../../../../integration/harness/index.ts";
import { type AddToAgentOptions, addToAgent } from "../../src/ssh/add-to-agent.ts";

let agent: Agent;
let dir: TempDir;
beforeAll(async () => {
  dir = tempDir("postern-add");
  agent = await startAgent();
});
afterAll(async () => {
  await agent.stop();
  dir.remove();
});

/** Adds a new key. Returns its public line, and the lines of the log. */
async function add(type: string, addKeysToAgent: AddToAgentOptions["config"]["addKeysToAgent"], allows = true) {
  const path = dir.file(`${type}-${addKeysToAgent?.mode}-${addKeysToAgent?.lifetime}`);
  execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "secret", "-C", `my ${type}`, "-f", path]);
  const lines: string[] = [];
  const questions: string[] = [];
  await addToAgent({
    config: { addKeysToAgent, identityAgent: agent.path },
    path,
    passphrase: "secret",
    confirm: async (question) => questions.push(question) > 0 && allows,
    debug: (line) => lines.push(line),
  });
  return { path, lines, questions, publicLine: readFileSync(`${path}.pub`, "utf8").trim() };
}

const list = (): string => {
  const env = { ...process.env, SSH_AUTH_SOCK: agent.path };
  return execFileSync("sh", ["-c", "ssh-add -L || true"], { encoding: "utf8", env });
};

it.each(["ed25519", "ecdsa", ...(isThorough ? ["rsa"] : [])])(
  "adds a key of the type %s, which the agent can use",
  async (type) => {
    const { path, lines, publicLine } = await add(type, { mode: "yes", lifetime: 0 });
    expect(lines).toEqual([`identity added to agent: ${path}`]);
    expect(list().split("\n")).toContain(publicLine);
    const env = { ...process.env, SSH_AUTH_SOCK: agent.path };
    execFileSync("ssh-add", ["-q", "-T", `${path}.pub`], { env });
  },
);

it("removes a key after its time, asks for permission, and adds nothing with `no`", async () => {
  const short = await add("ed25519", { mode: "yes", lifetime: 1 });
  expect(short.lines).toEqual([`identity added to agent: ${short.path}`]);
  await expect.poll(list, { timeout: 5000 }).not.toContain(short.publicLine);
  const asked = await add("ed25519", { mode: "ask", lifetime: 0 }, false);
  expect(asked.questions).toEqual([`Add key ${asked.path} (my ed25519) to agent?`]);
  const off = await add("ed25519", { mode: "no", lifetime: 0 });
  for (const { publicLine } of [asked, off]) expect(list()).not.toContain(publicLine);
});

it("lets the agent ask before each use with `confirm`", async () => {
  const { path, publicLine } = await add("ed25519", { mode: "confirm", lifetime: 60 });
  expect(list()).toContain(publicLine);
  agent.answer("no");
  const env = { ...process.env, SSH_AUTH_SOCK: agent.path };
  expect(() => execFileSync("ssh-add", ["-q", "-T", `${path}.pub`], { env, stdio: "pipe" })).toThrow(/agent refused/);
});

it("clears the key that it has sent, and one that it could not send", async () => {
  const written: Uint8Array[] = [];
  const write = vi.spyOn(Socket.prototype, "write");
  try {
    await add("ed25519", { mode: "yes", lifetime: 60 });
    const path = dir.file("ed25519-yes-60");
    const lines: string[] = [];
    await addToAgent({
      config: { addKeysToAgent: { mode: "yes", lifetime: 0 }, identityAgent: dir.file("no-agent") },
      path,
      passphrase: "secret",
      confirm: async () => true,
      debug: (line) => lines.push(line),
    });
    expect(lines.join()).toMatch(/^could not add identity to agent: .*ENOENT/);
    written.push(...write.mock.calls.map(([chunk]) => chunk as Uint8Array).filter(({ length }) => length > 100));
  } finally {
    write.mockRestore();
  }
  expect(written).toHaveLength(2);
  for (const chunk of written) expect(chunk.every((byte) => byte === 0)).toBe(true);
});

it("adds the key of a login, as ssh does", async () => {
  const keys = [await add("ed25519", { mode: "no", lifetime: 1 }), await add("ed25519", { mode: "no", lifetime: 2 })];
  const sshd = await startSshd({ authorizedKeys: keys.map(({ publicLine }) => publicLine) });
  writeFileSync(dir.file("known"), `[127.0.0.1]:${sshd.port} ${sshd.hostKeys.ed25519?.publicLine}\n`);
  writeFileSync(dir.file("askpass"), "#!/bin/sh\necho secret\n", { mode: 0o700 });
  const env = { ...process.env, SSH_ASKPASS: dir.file("askpass"), SSH_ASKPASS_REQUIRE: "force" };
  const lines = [["ssh"], [process.execPath, join(import.meta.dirname, "../../dist/postern.js")]].map(
    ([program = "", ...first], index) => {
      const { path = "", publicLine } = keys[index] ?? {};
      const known = ["HostKeyAlgorithms=ssh-ed25519", `UserKnownHostsFile=${dir.file("known")}`];
      const options = ["AddKeysToAgent=yes", `IdentityAgent=${agent.path}`, "IdentitiesOnly=yes", ...known];
      const args = ["-F", "none", "-v", "-p", String(sshd.port), "-i", path, ...options.map((one) => `-o${one}`)];
      const ran = spawnSync(program, [...first, ...args, `${sshd.user}@127.0.0.1`, "true"], { env, encoding: "utf8" });
      expect(list()).toContain(publicLine);
      return [ran.status, /identity added to agent: .*/.exec(ran.stderr)?.[0].replace(path, "PATH").trim()];
    },
  );
  await sshd.stop();
  expect(lines[0]).toEqual([0, "identity added to agent: PATH"]);
  expect(lines[1]).toEqual(lines[0]);
});
