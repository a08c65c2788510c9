/** Tries each peer. The outcome is a row of the table. @module */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import {
  type Algorithms,
  compatibleAlgorithms,
  hostAlgorithms,
  modernAlgorithms,
  privateKey,
  ReverseTunnel,
  SshError,
} from "@postern/node";
import { nextEvent, startHost } from "../harness/clients/host.ts";
import {
  freePort,
  isListening,
  type KeyPair,
  type KeyType,
  type MakeKeyOptions,
  makeKey,
  patternChunks,
  patternHash,
  type Target,
  type TempDir,
  target,
  tempDir,
  tunnelOptions,
  visit,
} from "../harness/index.ts";
import type { PeerClient, PeerServer } from "./peer.ts";
import type { Row } from "./table.ts";

/** `-` if the peer lacks the function, or the way to request it. */
export type Verdict = "yes" | "no" | "-";

export interface Outcome {
  readonly row: Row;
  /** The errors behind each "no". */
  readonly notes: readonly string[];
}

/**
 * Sixteen times as many bytes flow in each direction. Bytes in flight during an exchange reduce the number of rekeys.
 */
const rekeyBytes = 256 * 1024;
const underLoad = 4 * 1024 * 1024;
const exchangesUnderLoad = 3;
/** The timeout of one step, which takes a few milliseconds. */
const stepMs = 10_000;
/** Peers without a limit of their own leave rekeys to us. */
const noRekey = { bytes: Number.POSITIVE_INFINITY, ms: Number.POSITIVE_INFINITY };

type Rekey = "none" | "ours" | "theirs";

export class Trials {
  readonly #dir: TempDir = tempDir("postern-trials");
  readonly #keys = new Map<string, Promise<KeyPair>>();
  #target: Target | undefined;

  async stop(): Promise<void> {
    await this.#target?.stop();
    this.#dir.remove();
  }

  /** Tries a server with our `ReverseTunnel`. */
  server(peer: PeerServer): Promise<Outcome> {
    return rowOf("server", peer, (set, rekey) => this.#tryServer(peer, set, rekey));
  }

  /** Tries a client with our `TunnelHost`. */
  client(peer: PeerClient): Promise<Outcome> {
    return rowOf("client", peer, (set, rekey) => this.#tryClient(peer, set, rekey));
  }

  async #tryServer(peer: PeerServer, set: AlgorithmSet, rekey: Rekey): Promise<Steps> {
    const steps = new Steps();
    const user = await this.#key(peer.keyType);
    const server = await peer.start({ user, rekeyBytes: rekey === "theirs" ? rekeyBytes : undefined });
    const options = await tunnelOptions(server, {
      user: server.user,
      auth: [privateKey(user.privateText)],
      algorithms: classical(set === "default" ? modernAlgorithms : compatibleAlgorithms),
      rekey: rekey === "ours" ? { bytes: rekeyBytes } : noRekey,
      reconnect: { mode: "never" },
    });
    const tunnel = new ReverseTunnel(options);
    // Some servers drop the connection during a rekey; the steps report it.
    tunnel.closed.catch(() => {});
    tunnel.closed.catch(() => undefined);
    try {
      steps.version = await identificationOf(server.port);
      await steps.step("login", () => tunnel.connect());
      const { port } = await this.#targetAddress();
      const request = (listen: number) => tunnel.forward({ port: listen, target: { host: "127.0.0.1", port } });
      const forwarding = await steps.step("bytes", async () => request(await freePort()));
      await this.#converse(steps, forwarding.port, rekey);
      if (rekey !== "none") return steps;
      await steps.weakStep("cancel", async () => {
        await forwarding.close();
        await untilFree(forwarding.port);
      });
      await steps.weakStep("anyPort", async () => {
        const visitor = await visit((await request(0)).port);
        await visitor.send("knock");
        const answer = String(await visitor.read(5));
        visitor.socket.destroy();
        if (answer !== "knock") throw new Error(`expected knock, got ${answer}`);
      });
    } catch (error) {
      steps.failed(error, server.log());
    } finally {
      steps.exchanges = tunnel.stats().rekeys;
      const end = tunnel.timeline.findLast(({ reason }) => reason !== undefined);
      steps.end = end?.reason;
      await Promise.race([tunnel.close(), new Promise((resolve) => setTimeout(resolve, 1000))]);
      await server.stop();
    }
    return steps;
  }

  async #tryClient(peer: PeerClient, set: AlgorithmSet, rekey: Rekey): Promise<Steps> {
    const steps = new Steps();
    const user = await this.#key(peer.keyType, peer.keyFormat);
    steps.verdicts.anyPort = "-";
    const { algorithms, exchanges } = counted(classical(set === "default" ? hostAlgorithms : compatibleAlgorithms));
    const server = await startHost({
      hostKeyTypes: [peer.keyType ?? "ed25519"],
      keys: `${user.publicLine}\n`,
      algorithms,
      rekey: rekey === "ours" ? { bytes: rekeyBytes } : noRekey,
    });
    server.host.addEventListener("clientclosed", ({ reason }) => {
      steps.end = reason?.message;
    });
    const login = nextEvent(server.host, "login");
    const listen = await freePort();
    const client = await peer.start({
      server,
      user,
      listen,
      target: (await this.#targetAddress()).port,
      rekeyBytes: rekey === "theirs" ? rekeyBytes : undefined,
    });
    try {
      const { client: loggedIn } = await steps.step("login", () =>
        Promise.race([login, client.listening.then(() => login)]),
      );
      steps.version = versionIn(loggedIn.version);
      await steps.step("bytes", () => client.listening);
      await this.#converse(steps, listen, rekey);
      const { cancel } = client;
      if (cancel === undefined) steps.verdicts.cancel = "-";
      else {
        await steps.weakStep("cancel", async () => {
          await cancel();
          await untilFree(listen);
        });
      }
    } catch (error) {
      steps.failed(error, client.log());
    } finally {
      steps.exchanges = exchanges() - 1;
      client.listening.catch(() => undefined);
      await client.stop();
      await server.stop();
    }
    return steps;
  }

  /** Sends bytes in both directions, then half-closes and reads the answer. */
  async #converse(steps: Steps, port: number | undefined, rekey: Rekey): Promise<void> {
    const size = rekey === "none" ? 1024 * 1024 : underLoad;
    const visitor = await visit(port);
    try {
      await steps.step("bytes", async () => {
        const sent = visitor.sendAll(patternChunks(size));
        sent.catch(() => undefined);
        const echoed = createHash("sha256")
          .update(await visitor.read(size))
          .digest("hex");
        if (echoed !== patternHash(size)) throw new Error("expected the bytes that were sent, got others");
        await sent;
      });
      await steps.weakStep("halfClose", async () => {
        visitor.end();
        const answer = (await visitor.readAll()).toString();
        if (answer !== patternHash(size))
          throw new Error(`expected the hash after our end, got ${answer.length} bytes`);
      });
    } finally {
      visitor.socket.destroy();
    }
  }

  #key(type: KeyType = "ed25519", format: MakeKeyOptions["format"] = "OpenSSH"): Promise<KeyPair> {
    const name = `${type}_${format}`;
    const key = this.#keys.get(name) ?? makeKey(type, this.#dir.file(name), { format });
    this.#keys.set(name, key);
    return key;
  }

  /** Echoes all bytes, and after their end sends their SHA-256. */
  async #targetAddress(): Promise<Target> {
    this.#target ??= await target((socket) => {
      const hash = createHash("sha256");
      socket.on("data", (chunk: Uint8Array) => hash.update(chunk));
      socket.once("end", () => socket.end(hash.digest("hex")));
      socket.pipe(socket, { end: false });
    });
    return this.#target;
  }
}

type AlgorithmSet = Row["algorithms"];
type StepName = "login" | "bytes" | "halfClose" | "cancel" | "anyPort";

/** The verdicts of one connection. */
class Steps {
  readonly verdicts: Record<StepName, Verdict> = {
    login: "no",
    bytes: "no",
    halfClose: "no",
    cancel: "no",
    anyPort: "no",
  };
  version = "";
  exchanges = 0;
  readonly notes: string[] = [];
  /** The reason of the connection's end. */
  end: string | undefined;
  #current: StepName = "login";

  async step<Result>(name: StepName, act: () => Promise<Result>): Promise<Result> {
    this.#current = name;
    this.verdicts[name] = "no";
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing happened for ${stepMs} ms`)), stepMs);
    });
    try {
      const result = await Promise.race([act(), late]);
      this.verdicts[name] = "yes";
      return result;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a step whose failure does not prevent the others. */
  async weakStep(name: StepName, act: () => Promise<void>): Promise<void> {
    await this.step(name, act).catch((error: unknown) => this.failed(error));
  }

  failed(error: unknown, log = ""): void {
    const code = error instanceof SshError ? `${error.code}: ` : "";
    const text = error instanceof Error ? error.message : String(error);
    this.notes.push(`${this.#current}: ${code}${text}\n${log.slice(-2000)}`);
  }
}

async function rowOf(
  role: Row["role"],
  { name, rekeys, remarks = "" }: PeerServer | PeerClient,
  attempt: (set: AlgorithmSet, rekey: Rekey) => Promise<Steps>,
): Promise<Outcome> {
  const notes: string[] = [];
  const tried = async (set: AlgorithmSet, rekey: Rekey): Promise<Steps> => {
    const steps = await attempt(set, rekey);
    for (const note of steps.notes) notes.push(`${set}, rekey ${rekey}: ${note}\n(${steps.end ?? "still connected"})`);
    return steps;
  };
  let algorithms: AlgorithmSet = "default";
  let plain = await tried(algorithms, "none");
  if (plain.verdicts.login === "no") {
    algorithms = "compatible";
    plain = await tried(algorithms, "none");
  }
  const underRekeys = async (rekey: Rekey): Promise<Verdict> => {
    if (plain.verdicts.bytes === "no") return "no";
    const { verdicts, exchanges } = await tried(algorithms, rekey);
    if (verdicts.bytes === "yes" && exchanges < exchangesUnderLoad) {
      notes.push(`rekey ${rekey}: expected at least ${exchangesUnderLoad} key exchanges, saw ${exchanges}`);
      return "no";
    }
    return verdicts.bytes === "yes" && verdicts.halfClose === plain.verdicts.halfClose ? "yes" : "no";
  };
  const ourRekey = await underRekeys("ours");
  const theirRekey = rekeys ? await underRekeys("theirs") : "-";
  const row = {
    role,
    peer: name,
    version: plain.version,
    algorithms,
    ...plain.verdicts,
    ourRekey,
    theirRekey,
    remarks,
  };
  return { row, notes };
}

/** Without hybrids, because a trial has many rekeys a second. `key-exchanges.test.ts` tries hybrids. */
function classical(algorithms: Algorithms): Algorithms {
  return { ...algorithms, kex: algorithms.kex.filter(({ isPostQuantum }) => isPostQuantum !== true) };
}

/** Returns the same algorithms, which also count the key exchanges. */
function counted(algorithms: Algorithms): { readonly algorithms: Algorithms; exchanges(): number } {
  let exchanges = 0;
  const kex = algorithms.kex.map((method): Algorithms["kex"][number] => ({
    ...method,
    respond(...inputs) {
      exchanges++;
      return method.respond(...inputs);
    },
  }));
  return { algorithms: { ...algorithms, kex }, exchanges: () => exchanges };
}

async function untilFree(port: number | undefined): Promise<void> {
  while (isListening(port)) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Removes the common prefix, and the random end of tinysshd's line. */
function versionIn(line: string): string {
  return line.replace(/^SSH-2\.0-/, "").replace(/^(tinyssh\S*) .*/, "$1");
}

/** Reads the identification line of a server. */
async function identificationOf(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  try {
    let text = "";
    for await (const chunk of socket) {
      text += String(chunk);
      const [line] = /^SSH-.*?(?=\r?\n)/m.exec(text) ?? [];
      if (line !== undefined) return versionIn(line);
    }
    throw new Error(`expected an identification line, got ${JSON.stringify(text)}`);
  } finally {
    socket.destroy();
  }
}
