/** Records sessions of our machines with OpenSSH. See `record-transcripts.config.ts`. */
import { spawnSync } from "node:child_process";
import type { Score } from "@postern/testkit";
import { afterAll, beforeAll, describe, it } from "vitest";
import { runSsh, startSshd } from "./harness/index.ts";
import { algorithms, ciphers, Recorder, visit } from "./harness/transcript-recorder.ts";

const openssh = (): string =>
  /OpenSSH_(\S+( Debian-\S+?)?)(?=,)/.exec(spawnSync("ssh", ["-V"]).stderr.toString())?.[1] ?? "?";

let recorder: Recorder;
beforeAll(async () => {
  recorder = await Recorder.create();
});
afterAll(() => recorder?.remove());

describe("as a client of sshd", () => {
  it("records every cipher, a password, and rekeys by either side", async () => {
    for (const [rekeyLimit, scores] of [
      [
        "none",
        [
          ["client-password", "login by password", { login: { user: "", password: "" }, program: "leave" }],
          ...ciphers.map(
            (cipher) =>
              [
                `client-${cipher.split("@")[0]}`,
                `login by an ed25519 key, ${cipher}, a forwarding that is echoed and half-closed`,
                { algorithms: { ...algorithms, ciphers: [cipher] } },
              ] as const,
          ),
          [
            "client-rekey-by-client",
            "new keys every 6000 bytes, begun by the client, while data flows both ways",
            { rekeyBytes: 6000 },
          ],
        ],
      ],
      ["5K", [["client-rekey-by-server", "new keys every 5 KiB, begun by the server, while data flows both ways", {}]]],
    ] as [string, [string, string, Partial<Score>][]][]) {
      const sshd = await startSshd({
        authorizedKeys: [recorder.key.publicLine],
        password: true,
        config: { LogLevel: "DEBUG2", ...(rekeyLimit === "none" ? {} : { RekeyLimit: rekeyLimit }) },
      });
      const command = `sshd -D with RekeyLimit ${rekeyLimit}; ${visit}`;
      const peer = { name: "OpenSSH", version: openssh(), command };
      try {
        for (const [name, comment, more] of scores) {
          const login =
            more.login?.password === "" ? { login: { user: sshd.user, password: sshd.password ?? "" } } : {};
          await recorder.asClient(name, sshd, peer, { comment, ...more, ...login });
        }
      } finally {
        await sshd.stop();
      }
    }
  });
});

describe("as a server of ssh -R", () => {
  const serve = async (
    name: string,
    comment: string,
    cipher: string,
    more: Partial<Score>,
    config: Record<string, string> = {},
  ): Promise<void> => {
    const told = Object.entries(config).map(([option, value]) => ` -o ${option}=${value}`);
    const command = `ssh -N -c ${cipher}${told.join("")} -R 0:127.0.0.1:PORT, the target sends back what comes`;
    await recorder.asServer(
      name,
      { name: "OpenSSH", version: openssh(), command },
      { comment, algorithms: { ...algorithms, ciphers: [cipher] }, ...more },
      (server, target) =>
        runSsh(["-N", "-c", cipher, "-R", `0:127.0.0.1:${target}`], { server, identity: recorder.key, config }),
    );
  };

  it("records every cipher, and rekeys by either side", async () => {
    for (const cipher of ciphers) {
      await serve(
        `server-${cipher.split("@")[0]}`,
        `login by an ed25519 key, ${cipher}, a visitor who half-closes and reads the echo`,
        cipher,
        {},
      );
    }
    const [first = ""] = ciphers;
    await serve(
      "server-rekey-by-server",
      "new keys every 6000 bytes, begun by the server, while data flows both ways",
      first,
      { rekeyBytes: 6000 },
    );
    await serve(
      "server-rekey-by-client",
      "new keys every 5 KiB, begun by the client, while data flows both ways",
      first,
      {},
      { RekeyLimit: "5K" },
    );
  });
});
