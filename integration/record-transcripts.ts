/** Records sessions of our machines with OpenSSH. See `record-transcripts.config.ts`. */
import { spawnSync } from "node:child_process";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Player, type Score, transcriptOf } from "@postern/testkit";
import { concat } from "@postern/wire";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { save } from "../test-vectors/generate/save.mjs.mts";
import {
  echoTarget,
  exchange,
  type KeyPair,
  makeKey,
  runSsh,
  type Sshd,
  startSshd,
  type TempDir,
  tempDir,
} from "./harness/index.ts";

const openssh = (): string =>
  /OpenSSH_(\S+( Debian-\S+?)?)(?=,)/.exec(spawnSync("ssh", ["-V"]).stderr.toString())?.[1] ?? "?";
const ciphers = ["chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr"];
const algorithms: Score["algorithms"] = {
  kex: ["curve25519-sha256"],
  hostKeys: ["ssh-ed25519"],
  ciphers,
  macs: ["hmac-sha2-256-etm@openssh.com"],
};
const noRekey = 2 ** 40;
const inputs = { window: 8192, maxPacket: 2048 };
const question = new Uint8Array(12_000).map((_, at) => (at * 5) & 0xff);

let dir: TempDir;
let key: KeyPair;
let hostKey: KeyPair;
beforeAll(async () => {
  dir = tempDir("postern-record");
  key = await makeKey("ed25519", dir.file("user"), { comment: "made for a transcript" });
  hostKey = await makeKey("ed25519", dir.file("host"), { comment: "made for a transcript" });
});
afterAll(() => dir.remove());

/** Plays a score over a socket until the peer closes it, and writes the transcript. */
async function record(
  name: string,
  command: string,
  score: Score,
  socket: Socket,
  heard: (line: string) => void = () => {},
): Promise<void> {
  const player = new Player(score);
  const input: Uint8Array[] = [];
  const send = (bytes: Uint8Array | undefined): void => void (bytes && socket.write(bytes));
  send(player.take());
  socket.on("data", (chunk) => {
    input.push(Uint8Array.from(chunk));
    const before = player.events.length;
    send(player.receive(Uint8Array.from(chunk)));
    for (const line of player.events.slice(before)) heard(line);
  });
  await new Promise<void>((resolve, reject) => socket.once("error", reject).once("close", () => resolve()));
  const transcript = transcriptOf(score, concat(...input), player);
  expect(JSON.stringify(transcript).length).toBeLessThan(200_000);
  const source = { name: "OpenSSH", version: openssh(), command, licence: "MIT" };
  save({
    ...{ kind: "transcripts", algorithm: name, sources: { OpenSSH: source } },
    vectors: [{ source: "OpenSSH", ...transcript }],
  });
}

/** Records a client of sshd. A visitor of the port sends bytes, half-closes, and reads the answer. */
async function asClient(
  name: string,
  title: string,
  sshd: Sshd & { readonly rekeyLimit: string },
  more: Partial<Score>,
): Promise<void> {
  const score: Score = {
    comment: title,
    role: "client",
    seed: name,
    version: "SSH-2.0-Postern_transcript",
    algorithms,
    rekeyBytes: noRekey,
    login: { user: sshd.user, key: key.privateText },
    program: "echo",
    inputs,
    ...more,
  };
  const socket = connect({ host: "127.0.0.1", port: sshd.port, noDelay: true });
  let answer: Promise<Uint8Array> | undefined;
  const command = `sshd -D with RekeyLimit ${sshd.rekeyLimit}; a visitor sends 12000 bytes, half-closes, and reads them back`;
  await record(name, command, score, socket, (line) => {
    if (answer !== undefined || !line.startsWith("globalReply ")) return;
    const [, port] = /^globalReply index=0 ok=true specificData=(0x[0-9a-f]{8})$/.exec(line) ?? [];
    // Without a visitor, the session would not end.
    if (port === undefined) socket.destroy(new Error(`expected the port of the forwarding, got ${line}`));
    else answer = exchange(Number(port), question);
  });
  if (score.program === "echo") expect(Uint8Array.from((await answer) ?? [])).toEqual(question);
}

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
      const started = await startSshd({
        authorizedKeys: [key.publicLine],
        password: true,
        config: { LogLevel: "DEBUG2", ...(rekeyLimit === "none" ? {} : { RekeyLimit: rekeyLimit }) },
      });
      const sshd = Object.assign(started, { rekeyLimit });
      try {
        for (const [name, title, more] of scores) {
          const login =
            more.login?.password === "" ? { login: { user: sshd.user, password: sshd.password ?? "" } } : {};
          await asClient(name, title, sshd, { ...more, ...login });
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
    title: string,
    cipher: string,
    more: Partial<Score>,
    config: Record<string, string> = {},
  ): Promise<void> => {
    const target = await echoTarget();
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
    const args = ["-N", "-c", cipher, "-R", `0:127.0.0.1:${target.port}`];
    const ssh = await runSsh(args, {
      server: { port, user: "test", hostKeys: { ed25519: hostKey } },
      identity: key,
      config,
    });
    const told = Object.entries(config).map(([option, value]) => ` -o ${option}=${value}`);
    const score: Score = {
      comment: title,
      role: "server",
      seed: name,
      version: "SSH-2.0-Postern_transcript",
      algorithms: { ...algorithms, ciphers: [cipher] },
      rekeyBytes: noRekey,
      login: { hostKey: hostKey.privateText },
      program: "visit",
      inputs: { ...inputs, size: 12_000 },
      ...more,
    };
    const command = `ssh -N -c ${cipher}${told.join("")} -R 0:127.0.0.1:PORT, the target sends back what comes`;
    await record(name, command, score, await accepted);
    await ssh.exited;
    server.close();
    await target.stop();
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
