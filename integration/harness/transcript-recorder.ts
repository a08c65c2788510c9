/** Records sessions of our machines with real peers. See `record-transcripts.config.ts`. @module */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Player, type Score, transcriptOf } from "@postern/testkit";
import { concat } from "@postern/wire";
import { expect } from "vitest";
import type { ClientTarget } from "./clients/host.ts";
import { type KeyPair, makeKey } from "./keys.ts";
import { saveVectors } from "./save-vectors.ts";
import type { SshServer } from "./sshd.ts";
import { echoTarget } from "./targets.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";
import { exchange } from "./visitor.ts";

/** The other side, and how it was started. */
export interface RecordedPeer {
  readonly name: string;
  /** Default: the version in the identification line. */
  readonly version?: string;
  readonly command: string;
}

export const ciphers = [
  "chacha20-poly1305@openssh.com",
  "aes256-gcm@openssh.com",
  "aes128-gcm@openssh.com",
  "aes256-ctr",
];
export const algorithms: Score["algorithms"] = {
  kex: ["curve25519-sha256"],
  hostKeys: ["ssh-ed25519"],
  ciphers,
  macs: ["hmac-sha2-256-etm@openssh.com"],
};
/** The course of a session in which we are the client. */
export const visit = "a visitor sends 12000 bytes, half-closes, and reads them back";

const noRekey = 2 ** 40;
const inputs = { window: 8192, maxPacket: 2048 };
const question = new Uint8Array(12_000).map((_, at) => (at * 5) & 0xff);
/** A session that is silent for so long fails. */
const silenceMs = 20_000;

/** Keys that give access to nothing. */
export class Recorder {
  readonly #dir: TempDir;
  readonly key: KeyPair;
  readonly #hostKey: KeyPair;

  private constructor(dir: TempDir, key: KeyPair, hostKey: KeyPair) {
    this.#dir = dir;
    this.key = key;
    this.#hostKey = hostKey;
  }

  static async create(): Promise<Recorder> {
    const dir = tempDir("postern-record");
    const [key, hostKey] = await Promise.all(
      ["user", "host"].map((name) => makeKey("ed25519", dir.file(name), { comment: "made for a transcript" })),
    );
    return new Recorder(dir, key as KeyPair, hostKey as KeyPair);
  }

  remove(): void {
    this.#dir.remove();
  }

  /** Records a client of a server. A visitor of the port sends bytes, half-closes, and reads the answer. */
  async asClient(
    name: string,
    server: SshServer,
    peer: RecordedPeer,
    more: Partial<Score> & Pick<Score, "comment">,
  ): Promise<void> {
    const score: Score = {
      ...shared(name),
      role: "client",
      login: { user: server.user, key: this.key.privateText },
      program: "echo",
      inputs,
      ...more,
    };
    const socket = connect({ host: "127.0.0.1", port: server.port, noDelay: true });
    let answer: Promise<Uint8Array> | undefined;
    await record(name, peer, score, socket, (line) => {
      if (answer !== undefined || !line.startsWith("globalReply ")) return;
      const [, port] = /^globalReply index=0 ok=true specificData=(0x[0-9a-f]{8})$/.exec(line) ?? [];
      // Without a visitor, the session would not end.
      if (port === undefined) socket.destroy(new Error(`expected the port of the forwarding, got ${line}`));
      else answer = exchange(Number(port), question);
    });
    if (score.program === "echo") expect(Uint8Array.from((await answer) ?? [])).toEqual(question);
  }

  /**
   * Records a server of a client, which forwards a port to the target that it receives. A visitor of ours sends bytes,
   * half-closes, and reads the answer.
   */
  async asServer(
    name: string,
    peer: RecordedPeer,
    more: Partial<Score> & Pick<Score, "comment">,
    start: (server: ClientTarget, target: number) => Promise<{ stop(): Promise<unknown> }>,
  ): Promise<void> {
    const target = await echoTarget();
    const listener = createServer({ noDelay: true });
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as AddressInfo;
    const accepted = new Promise<Socket>((resolve) => listener.once("connection", resolve));
    const hostKeys = { ed25519: this.#hostKey };
    const fingerprint = (): string => this.#hostKey.fingerprint;
    const server = { port, user: "test", password: "", hostKeys, dir: this.#dir, fingerprint };
    const client = await start(server, target.port);
    try {
      const login = { hostKey: this.#hostKey.privateText };
      const program = { program: "visit", inputs: { ...inputs, ...more.inputs, size: 12_000 } } as const;
      await record(name, peer, { ...shared(name), role: "server", login, ...more, ...program }, await accepted);
    } finally {
      // Some clients stay after the end of their connection.
      await client.stop();
      listener.close();
      await target.stop();
    }
  }
}

function shared(seed: string): Pick<Score, "seed" | "version" | "algorithms" | "rekeyBytes"> {
  return { seed, version: "SSH-2.0-Postern_transcript", algorithms, rekeyBytes: noRekey };
}

/** Plays a score over a socket until the peer closes it, and writes the transcript. */
async function record(
  name: string,
  peer: RecordedPeer,
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
    try {
      send(player.receive(Uint8Array.from(chunk)));
    } catch (error) {
      socket.destroy(error as Error);
      return;
    }
    for (const line of player.events.slice(before)) heard(line);
  });
  socket.setTimeout(silenceMs, () =>
    socket.destroy(
      new Error(`expected the end of the session, got silence after: ${player.events.slice(-5).join("; ")}`),
    ),
  );
  await new Promise<void>((resolve, reject) => socket.once("error", reject).once("close", () => resolve()));
  const all = concat(...input);
  expect(player.events.some((line) => line.startsWith(score.program === "leave" ? "authenticated" : "closed"))).toBe(
    true,
  );
  const transcript = transcriptOf(score, all, player);
  expect(JSON.stringify(transcript).length).toBeLessThan(200_000);
  const [identification = ""] = new TextDecoder().decode(all.subarray(0, 255)).split("\r\n");
  const version = peer.version ?? /^SSH-2\.0-.*?(\d+\.\d+\S*( Debian\S*)?)$/.exec(identification)?.[1] ?? "?";
  saveVectors({
    ...{ kind: "transcripts", algorithm: name, sources: { peer: { ...peer, version, licence: "MIT" } } },
    vectors: [{ source: "peer", ...transcript }],
  });
}
