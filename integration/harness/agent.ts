/** OpenSSH's `ssh-agent` on a socket of its own. @module */
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { launch, type Running, run } from "./process.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export interface Agent {
  /** The socket. */
  readonly path: string;
  readonly process: Running;
  /** Runs `ssh-add` with this agent. `askpass` answers its questions. Returns what it prints on both outputs. */
  add(args: readonly string[], askpass?: string): Promise<string>;
  /** Lets the agent's question to its user, `ssh-add -c`, be answered from now on. */
  answer(verdict: "yes" | "no"): void;
  /** Waits until the agent asks its user. */
  asked(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an agent. Its askpass program waits for `answer`. */
export async function startAgent(): Promise<Agent> {
  const dir = tempDir("postern-agent");
  const path = dir.file("socket");
  const question = dir.file("question");
  const verdict = dir.file("verdict");
  const askpass = script(
    dir,
    "askpass",
    `echo "$1" >> '${question}'; while [ ! -e '${verdict}' ]; do sleep 0.05; done; exec grep -q yes '${verdict}'`,
  );
  const env = { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":9" };
  const process = await launch("ssh-agent", ["-D", "-a", path], { env });
  while (!existsSync(path)) await sleep(5);
  return {
    path,
    process,
    async add(args, reply = "") {
      const answers = script(dir, "reply", `echo '${reply}'`);
      const given = { SSH_AUTH_SOCK: path, SSH_ASKPASS: answers, SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":9" };
      return await run("sh", ["-c", 'exec ssh-add "$@" 2>&1', "sh", ...args], { env: given });
    },
    answer: (given) => writeFileSync(verdict, given),
    async asked() {
      while (!existsSync(question)) await sleep(5);
    },
    async stop() {
      await process.stop();
      dir.remove();
    },
  };
}

function script(dir: TempDir, name: string, text: string): string {
  const path = dir.file(name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}
