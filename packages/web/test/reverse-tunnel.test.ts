/** ReverseTunnel over a pipe of the program's own: what it is told, and dialling in bounded time. */
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
  it("must say how to dial", () => {
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
  it("is given the endpoint", async () => {
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

  it("keeps an SshError as it is", async () => {
    const error = new SshError("refused", "the bridge is full");
    await expect(tunnelWith(() => Promise.reject(error)).connect()).rejects.toBe(error);
  });

  it("must give a pipe", async () => {
    const tunnel = tunnelWith((() => streamsFromPipe(pipePair()[0])) as unknown as () => BytePipe);
    await expect(tunnel.connect()).rejects.toMatchObject({
      code: "misuse",
      message: expect.stringContaining("pipeFromStreams"),
    });
  });

  it("ends in time, though the function takes for ever, and is told so", async () => {
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

  it("ends at a signal, and drops the pipe that comes too late", async () => {
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

  it("takes streams by way of pipeFromStreams", async () => {
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
