/** The option `hostKey` as an object: it chooses algorithms before the handshake, and hears of the server's keys. */
import { pipePair } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import { accept, type ClientOptions, connect, type HostKeyOption } from "../src/index.ts";
import { rejection, timers, turns } from "./helpers.ts";
import { clientOptions, serverOptions, world } from "./world.ts";

const check = () => true;

/** Connects to a server; resolves with the error and what the server received first. */
async function failing(hostKey: HostKeyOption, more: Partial<ClientOptions> = {}): Promise<unknown> {
  const [left, right] = pipePair();
  const served = accept(right, serverOptions("choice")).catch(() => {});
  const error = await rejection(connect(left, { ...clientOptions("choice"), ...more, hostKey }));
  await served;
  return error;
}

describe("algorithms()", () => {
  it("chooses the host key algorithms of KEXINIT and their order (RFC 4253 section 7.1)", async () => {
    const algorithms: HostKeyOption["algorithms"] = (offered) =>
      offered.filter(({ keyType }) => keyType === "ssh-rsa").toReversed();
    expect(await failing({ check, algorithms })).toMatchObject({
      code: "negotiation",
      message: expect.stringContaining('we offer "rsa-sha2-256,rsa-sha2-512"'),
    });
  });

  it("may be asynchronous, and passes the chosen algorithms to check()", async () => {
    const seen: string[][] = [];
    const hostKey: HostKeyOption = {
      algorithms: async (offered) => offered.slice(0, 1),
      check({ algorithms, certificate }) {
        seen.push(algorithms.map(({ name }) => name));
        return certificate === undefined;
      },
    };
    const { client, server } = await world({ client: { hostKey } });
    expect(seen).toEqual([["ssh-ed25519"]]);
    await Promise.all([client.close(), server.closed.catch(() => {})]);
  });

  it("ends the login if it fails, returns no list, hangs or is aborted, and leaves no timer", async () => {
    // Connections of earlier tests may still be closing.
    const before = timers();
    const never = new Promise<never>(() => {});
    const why = new Error("why");
    const fails = () => Promise.reject(why);
    expect(await failing({ check, algorithms: fails })).toMatchObject({ code: "hostkey", cause: why });
    const none = (() => "ssh-rsa") as unknown as NonNullable<HostKeyOption["algorithms"]>;
    expect(await failing({ check, algorithms: none })).toMatchObject({ code: "misuse" });
    const hangs: HostKeyOption = { check, algorithms: () => never };
    expect(await failing(hangs, { loginTimeoutMs: 20 })).toMatchObject({ code: "timeout" });
    const abort = new AbortController();
    const aborted = failing(hangs, { signal: abort.signal });
    await turns();
    abort.abort(why);
    expect(await aborted).toBe(why);
    await turns();
    expect(timers()).toBeLessThanOrEqual(before);
  });
});

describe("announced()", () => {
  it("gets hostkeys-00@openssh.com, and the program all other requests (OpenSSH PROTOCOL 2.5)", async () => {
    const announced: string[] = [];
    const requests: string[] = [];
    const hostKey: HostKeyOption = { check, announced: (data) => void announced.push(String(data)) };
    const { client, server } = await world({
      client: {
        hostKey,
        onGlobalRequest(request) {
          requests.push(request.name);
          request.refuse();
        },
      },
    });
    // A server that wants a reply learns nothing from it.
    const reply = await server.request("hostkeys-00@openssh.com", Uint8Array.of(1, 2));
    expect(reply.ok).toBe(true);
    expect((await server.request("other@example.com", new Uint8Array(0))).ok).toBe(false);
    expect(announced).toEqual(["1,2"]);
    expect(requests).toEqual(["other@example.com"]);
    await Promise.all([client.close(), server.closed.catch(() => {})]);
  });

  it("is not needed: without it and onGlobalRequest every request is refused", async () => {
    for (const hostKey of [{ check }, { check, announced() {} }]) {
      const { client, server } = await world({ client: { hostKey } });
      expect((await server.request("other@example.com", new Uint8Array(0))).ok).toBe(false);
      await Promise.all([client.close(), server.closed.catch(() => {})]);
    }
  });
});

describe("the option hostKey", () => {
  it.each([[{}], [{ check: true }], [null], ["SHA256:x"]])("rejects %j", async (hostKey) => {
    const options = { ...clientOptions("check"), hostKey: hostKey as unknown as HostKeyOption };
    expect(await rejection(connect(pipePair()[0], options))).toMatchObject({ code: "misuse" });
  });
});
