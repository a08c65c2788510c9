/** The bridges of the examples: a tunnel through each to a real server, what they see, and what they reject. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BytePipe, fingerprint, privateKey, ReverseTunnel, serve, webSocketPipe } from "@postern/web";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";
import {
  deafTarget,
  launch,
  missing,
  type Running,
  refusingPort,
  type Sshd,
  startSshd,
  userKey,
} from "./harness/index.ts";
import { startWorker } from "./harness/workerd.ts";

interface Bridge {
  readonly url: string;
  readonly pid: number;
  readonly stderr: Running["stderr"];
  stop(): Promise<void>;
}
interface Settings {
  readonly port: number;
  readonly origins?: readonly string[];
  readonly more?: readonly string[];
}
const example = (name: string): string => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));

async function startNode({ port, origins = [], more = [] }: Settings): Promise<Bridge> {
  const origin = origins.flatMap((one) => ["--origin", one]);
  const args = [example("bridge-node/bridge.mjs"), "--listen", "0", "--to", `127.0.0.1:${port}`, ...origin, ...more];
  const running: Running = await launch(process.execPath, args);
  const [, url = ""] = await running.stdout.waitFor(/(ws:\S+) leads to/);
  return { url, pid: running.pid, stderr: running.stderr, stop: () => running.stop() };
}

async function startWorkerd({ port, origins = [] }: Settings): Promise<Bridge> {
  const script = readFileSync(example("bridge-workerd/worker.mjs"), "utf8");
  const worker = await startWorker({
    script,
    bindings: { HOST: "127.0.0.1", PORT: String(port), ORIGINS: origins.join(" ") },
  });
  const { pid, stderr } = worker.process;
  return { url: worker.url.replace("http", "ws"), pid, stderr, stop: worker.stop };
}

/** Node 20 has no WebSocket. */
function pipe(url: string, taps?: Uint8Array[]): Promise<BytePipe> {
  const socket = new NodeWebSocket(url);
  if (taps) {
    socket.on("message", (data) => taps.push(new Uint8Array(data as ArrayBuffer)));
    const send = socket.send.bind(socket) as (data: Uint8Array) => void;
    socket.send = (data: Uint8Array) => {
      taps.push(data);
      send(data);
    };
  }
  return webSocketPipe(socket as unknown as WebSocket);
}

/** Returns the status of a handshake; 101 if it succeeds. */
function handshake(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new NodeWebSocket(url, { headers });
    socket.on("open", () => {
      resolve(101);
      socket.terminate();
    });
    socket.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on("error", reject);
  });
}

for (const [name, start] of [
  ["bridge-node", startNode],
  ["bridge-workerd", startWorkerd],
] as const) {
  describe.skipIf(missing("sshd"))(`examples/${name}`, () => {
    let sshd: Sshd;
    let bridge: Bridge;
    beforeAll(async () => {
      sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
      bridge = await start({ port: sshd.port, origins: ["https://page.example"] });
    });
    afterAll(async () => {
      await bridge.stop();
      await sshd.stop();
    });

    it("carries a tunnel, and sees neither the user nor the visitors' bytes", async () => {
      const seen: Uint8Array[] = [];
      const tunnel = new ReverseTunnel({
        dial: () => pipe(bridge.url, seen),
        host: "ssh.example.com",
        user: sshd.user,
        auth: [privateKey((await userKey()).privateText)],
        hostKey: fingerprint(sshd.fingerprint()),
      });
      await tunnel.connect();
      const forwarding = await tunnel.listen({ port: 0 });
      serve(forwarding, async (request) => new Response(`the secret: ${await request.text()}`));
      const large = "all of it ".repeat(200_000);
      const url = `http://127.0.0.1:${forwarding.port}/path-of-a-visitor`;
      const answers = Array.from({ length: 5 }, (_, i) => fetch(url, { method: "POST", body: `${i}${large}` }));
      for (const [i, answer] of (await Promise.all(answers)).entries()) {
        expect((await answer.text()) === `the secret: ${i}${large}`).toBe(true);
      }
      await tunnel.close();
      const bytes = Buffer.concat(seen).toString("latin1");
      // In both directions, and encrypted after the first key exchange.
      expect(bytes.length).toBeGreaterThan(20_000_000);
      expect(bytes).toMatch(/SSH-2\.0-OpenSSH/);
      for (const word of ["the secret", "all of it", "path-of-a-visitor", "ssh-connection"]) {
        expect(bytes.includes(word), word).toBe(false);
      }
    });

    it("accepts pages of its origins, and programs without an origin", async () => {
      expect(await handshake(bridge.url, { origin: "https://page.example" })).toBe(101);
      expect(await handshake(bridge.url)).toBe(101);
      expect(await handshake(bridge.url, { origin: "https://other.example" })).toBe(403);
      expect(await handshake(bridge.url, { origin: "null" })).toBe(403);
    });

    it("accepts only pages of its own host if it has no list", async () => {
      const own = await start({ port: sshd.port });
      const { host } = new URL(own.url);
      expect(await handshake(own.url, { origin: `http://${host}` })).toBe(101);
      expect(await handshake(own.url, { origin: "https://other.example" })).toBe(403);
      await own.stop();
    });

    it("answers the handshake with 502 if the server cannot be reached", async () => {
      const lost = await start({ port: await refusingPort() });
      expect(await handshake(lost.url)).toBe(502);
      await expect(pipe(lost.url)).rejects.toMatchObject({ code: "connect" });
      await lost.stop();
    });

    it("answers requests without a WebSocket with an explanation", async () => {
      const response = await fetch(bridge.url.replace("ws", "http"));
      expect(response.status).toBe(426);
      expect(await response.text()).toContain("bridge");
    });
  });
}

describe("examples/bridge-node", () => {
  it("rejects connections above its limits", async () => {
    const target = await deafTarget();
    const bridge = await startNode({ port: target.port, more: ["--max-connections", "1"] });
    const first = await pipe(bridge.url);
    expect(await handshake(bridge.url)).toBe(503);
    first.abort();
    await expect.poll(() => handshake(bridge.url)).toBe(101);
    await bridge.stop();
    await target.stop();
  });

  it("logs the origin that it refused, and the option that accepts it", async () => {
    const bridge = await startNode({ port: await refusingPort() });
    expect(await handshake(bridge.url, { origin: "https://page.example" })).toBe(403);
    await bridge.stderr.waitFor(/refused the origin "https:\/\/page\.example"; --origin accepts it/);
    await bridge.stop();
  });

  it("closes idle connections", async () => {
    const target = await deafTarget();
    const bridge = await startNode({ port: target.port, more: ["--idle", "0.2"] });
    const one = await pipe(bridge.url);
    const closed = await new Promise<Error | undefined>((resolve) =>
      one.start({ data() {}, end() {}, drain() {}, closed: resolve }),
    );
    expect(closed).toMatchObject({ code: "closed" });
    await bridge.stop();
    await target.stop();
  });

  it("stops reading from the browser while the server does not read", async () => {
    const target = await deafTarget();
    const bridge = await startNode({ port: target.port });
    const one = await pipe(bridge.url);
    let taken = 0;
    await new Promise<void>((resolve) => {
      const chunk = new Uint8Array(256 * 1024);
      let stuck = setTimeout(resolve, 1000);
      const write = (): void => {
        do {
          taken += chunk.length;
          clearTimeout(stuck);
          stuck = setTimeout(resolve, 1000);
          if (taken > 256 * 1024 * 1024) return resolve();
        } while (one.write(chunk));
      };
      one.start({ data() {}, end() {}, drain: write, closed() {} });
      write();
    });
    // The buffers of three sockets.
    expect(taken).toBeLessThan(64 * 1024 * 1024);
    const [, rss] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${bridge.pid}/status`, "latin1")) ?? [];
    expect(Number(rss)).toBeLessThan(150_000);
    one.abort();
    await bridge.stop();
    await target.stop();
  });

  it("prints its usage after wrong arguments", async () => {
    for (const args of [[], ["--listen", "8080"], ["--listen", "x", "--to", "a:22"], ["--listen", "0", "--to", "a"]]) {
      const bridge = await launch(process.execPath, [example("bridge-node/bridge.mjs"), ...args]);
      expect(await bridge.exited).toBe(1);
      expect(bridge.stderr.text()).toContain("usage: bridge --listen");
      await bridge.stop();
    }
  });
});
