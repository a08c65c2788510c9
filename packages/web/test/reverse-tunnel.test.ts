/** ReverseTunnel over a pipe of the program: options, and connecting in bounded time. */
import { pipePair } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import {
  type BytePipe,
  fingerprint,
  password,
  pipeFromStreams,
  ReverseTunnel,
  SshError,
  streamsFromPipe,
  type WebTunnelOptions,
} from "../src/index.ts";

const options = {
  host: "host.example",
  user: "test",
  auth: [password("secret")],
  hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
  reconnect: { mode: "never" },
} as const;
const tunnelWith = (dial: WebTunnelOptions["dial"], more: Partial<WebTunnelOptions> = {}) =>
  new ReverseTunnel({ ...options, dial, ...more });
const never = () => new Promise<BytePipe>(() => {});

describe("options", () => {
  it("rejects options without a dial function", () => {
    const misuse = (words: string) =>
      expect.objectContaining({ code: "misuse", message: expect.stringContaining(words) });
    const make = (more: object) => () => new ReverseTunnel({ ...options, ...more } as unknown as WebTunnelOptions);
    expect(make({})).toThrow(misuse("expected dial"));
    expect(make({ dial: never, dialTarget: "tcp" })).toThrow(misuse("expected dialTarget"));
    expect(make({ dial: never, users: "x" })).toThrow(misuse('did you mean "user"?'));
    expect(() => new ReverseTunnel(undefined as unknown as WebTunnelOptions)).toThrow(misuse("expected dial"));
  });
});

describe("dialling", () => {
  it("passes the endpoint to the dial function", async () => {
    const seen: unknown[] = [];
    const tunnel = tunnelWith((endpoint) => {
      seen.push(endpoint);
      throw new Error("no way");
    });
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "connect",
      message: expect.stringContaining("no way"),
      cause: { message: "no way" },
    });
    expect(seen).toEqual([{ host: "host.example", port: 22 }]);
  });

  it("rejects with the SshError of the dial function", async () => {
    const error = new SshError("refused", "the bridge is full");
    await expect(tunnelWith(() => Promise.reject(error)).connect()).rejects.toBe(error);
  });

  it("rejects a dial function that does not return a pipe", async () => {
    const tunnel = tunnelWith((() => streamsFromPipe(pipePair()[0])) as unknown as () => BytePipe);
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "misuse",
      message: expect.stringContaining("pipeFromStreams"),
    });
  });

  it("times out and fires the signal if the dial function does not settle", async () => {
    let unwanted: AbortSignal | undefined;
    const tunnel = tunnelWith(
      (_, { signal }) => {
        unwanted = signal;
        return never();
      },
      { loginTimeoutMs: 20 },
    );
    await expect(tunnel.connect()).rejects.toMatchObject({ code: "timeout" });
    expect(unwanted?.aborted).toBe(true);
  });

  it("stops at a signal, and aborts a pipe that arrives later", async () => {
    const [ours, theirs] = pipePair();
    let give: (pipe: BytePipe) => void = () => {};
    const tunnel = tunnelWith(
      () =>
        new Promise((resolve) => {
          give = resolve;
        }),
    );
    const controller = new AbortController();
    const login = tunnel.connect({ signal: controller.signal });
    controller.abort();
    await expect(login).rejects.toBe(controller.signal.reason);
    give(ours);
    const error = await new Promise((resolve) => theirs.start({ data() {}, end() {}, drain() {}, closed: resolve }));
    expect(error).toMatchObject({ code: "closed" });
  });

  it("accepts streams through pipeFromStreams", async () => {
    const [ours, theirs] = pipePair();
    const login = tunnelWith(() => pipeFromStreams(streamsFromPipe(ours))).connect();
    const line = await new Promise<string>((resolve) => {
      const data = (chunk: Uint8Array) => resolve(new TextDecoder().decode(chunk));
      theirs.start({ data, end() {}, drain() {}, closed() {} });
    });
    expect(line).toMatch(/^SSH-2\.0-Postern/);
    theirs.abort();
    await expect(login).rejects.toMatchObject({ code: "version" });
  });
});
