/** A host key algorithm whose verdict comes later, as WebCrypto's do. */

import type { PublicKeyAlgorithm } from "@postern/crypto";
import { modernAlgorithms, sshEd25519 } from "@postern/noble";
import { describe, expect, it } from "vitest";
import type { TransportEvent } from "../src/transport-events.ts";
import { TransportMachine } from "../src/transport-machine.ts";
import { events, hostKey, machine, options, otherHostKey, pair, settle } from "./raw-peer.ts";

/** Never looked at by a machine. */
const verdict: PromiseLike<boolean> = new Promise(() => {});
const withVerify = (verify: PublicKeyAlgorithm["verify"]) => ({
  algorithms: { ...modernAlgorithms, hostKeys: [{ ...sshEd25519, verify }] },
});
const later = withVerify(() => verdict);
const data = Uint8Array.of(94, 1, 2);
const types = (heard: readonly TransportEvent[]): string[] => heard.map(({ type }) => type);

/** All events there are now, with no decision taken. */
function heardBy(of: TransportMachine): TransportEvent[] {
  const all: TransportEvent[] = [];
  for (let event = of.next(); event !== undefined; event = of.next()) all.push(event);
  return all;
}

/** A client and a server of which the client has KEX_ECDH_REPLY and more, and no verdict; what the client told. */
function untilVerdict(client = machine("client", later), server = machine("server")) {
  const heard: TransportEvent[] = [];
  for (let turn = 0; turn < 2; turn++) {
    server.receive(client.takeOutput() ?? expect.unreachable());
    events(server);
    client.receive(server.takeOutput() ?? expect.unreachable());
    heard.push(...heardBy(client));
  }
  return { client, server, heard };
}

describe("a verdict that comes later", () => {
  it("is waited for: no input is wanted, nothing is sent, nobody is asked about the host key", () => {
    const { client, heard } = untilVerdict();
    expect(types(heard)).toEqual(["identified", "verify"]);
    expect(heard.at(-1)).toEqual({ type: "verify", verdict, algorithm: "ssh-ed25519" });
    expect([client.wantsInput, client.writable, client.deadline]).toEqual([false, false, undefined]);
    expect(client.takeOutput()).toBeUndefined();
    expect(() => client.acceptHostKey()).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(client.wantsInput).toBe(false);
  });

  it("of true leads to the question about the host key, and on", () => {
    const { client, server } = untilVerdict();
    client.verified(true);
    expect(client.wantsInput).toBe(false);
    expect(client.next()).toEqual({ type: "hostKey", hostKey: hostKey().publicKey, algorithm: "ssh-ed25519" });
    expect([client.wantsInput, client.takeOutput()]).toEqual([false, undefined]);
    expect(() => client.verified(true)).toThrow(expect.objectContaining({ code: "misuse" }));
    client.acceptHostKey();
    // NEWKEYS and EXT_INFO of the server have been there all the time.
    expect(types(heardBy(client))).toEqual(["resumed", "keys", "extInfo"]);
    settle(client, server);
    expect(client.sessionId).toEqual(server.sessionId);
    client.send(data);
    expect(types(settle(client, server)[1])).toEqual(["payload"]);
  });

  it("gives the same bytes as a verdict that is there at once", () => {
    const [now, before] = [
      untilVerdict(
        machine(
          "client",
          withVerify(() => true),
        ),
      ),
      untilVerdict(),
    ];
    before.client.verified(true);
    before.client.next();
    for (const { client } of [now, before]) client.acceptHostKey();
    expect(before.client.takeOutput()).toEqual(now.client.takeOutput());
  });

  it.each([false, undefined, 1, "yes", {}])("of %j refuses the host, for good", (answer) => {
    const { client } = untilVerdict();
    const refused = expect.objectContaining({
      code: "kex",
      message: expect.stringContaining("valid ssh-ed25519 signature"),
    });
    expect(() => client.verified(answer as boolean)).toThrow(refused);
    expect(() => client.next()).toThrow(refused);
    expect(() => client.verified(true)).toThrow(refused);
    expect(() => client.acceptHostKey()).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(client.takeOutput()).toBeUndefined();
  });

  it("loses no input that arrives meanwhile, however it is cut", () => {
    const { client, server } = untilVerdict();
    server.send(data);
    for (const byte of server.takeOutput() ?? expect.unreachable()) {
      client.receive(Uint8Array.of(byte));
      expect(client.next()).toBeUndefined();
    }
    client.verified(true);
    const [asked] = heardBy(client);
    expect(asked?.type).toBe("hostKey");
    client.acceptHostKey();
    const heard = heardBy(client);
    expect(types(heard)).toEqual(["resumed", "keys", "extInfo", "payload"]);
    expect(heard.at(-1)).toMatchObject({ payload: data });
  });

  it("is no business of a server, nor is an answer when none is due", () => {
    for (const one of [machine("client", later), machine("server", later)]) {
      expect(() => one.verified(true)).toThrow(expect.objectContaining({ code: "misuse" }));
      // The caller's mistake ends nothing.
      expect(one.next()).toBeUndefined();
    }
  });
});

describe("a verdict that is there at once", () => {
  it("pauses nothing", () => {
    for (const client of [
      machine("client"),
      machine(
        "client",
        withVerify(() => true),
      ),
    ]) {
      expect(types(untilVerdict(client).heard)).toEqual(["identified", "hostKey"]);
    }
    expect(() =>
      untilVerdict(
        machine(
          "client",
          withVerify(() => false),
        ),
      ),
    ).toThrow(expect.objectContaining({ code: "kex" }));
  });

  it.each([1, "yes", {}])("and is %j, is no yes: it goes the way of those that come later", (odd) => {
    const { heard } = untilVerdict(
      machine(
        "client",
        withVerify(() => odd as unknown as boolean),
      ),
    );
    expect(heard.at(-1)).toMatchObject({ type: "verify", verdict: odd });
  });

  it.each([undefined, null])("and is %j, refuses the host", (odd) => {
    expect(() =>
      untilVerdict(
        machine(
          "client",
          withVerify(() => odd as unknown as boolean),
        ),
      ),
    ).toThrow(expect.objectContaining({ code: "kex" }));
  });
});

describe("a rekey with a verdict that comes later", () => {
  /** Both ends after a first exchange, and the client's half of a rekey up to its verdict. */
  function rekeying() {
    let first = true;
    const verify: PublicKeyAlgorithm["verify"] = (...args) => (first ? sshEd25519.verify(...args) : verdict);
    const both = pair(withVerify(verify));
    first = false;
    both.client.startRekey();
    return { ...both, ...untilVerdict(both.client, both.server) };
  }

  it("asks nobody about the host key, and goes on", () => {
    const { client, server, heard } = rekeying();
    expect(types(heard)).toEqual(["verify"]);
    expect([client.wantsInput, client.writable]).toEqual([false, false]);
    server.send(data);
    client.receive(server.takeOutput() ?? expect.unreachable());
    expect(client.next()).toBeUndefined();
    client.verified(true);
    expect(types(heardBy(client))).toEqual(["resumed", "keys", "payload"]);
    expect(types(settle(client, server)[1])).toEqual(["keys"]);
  });

  it("ends with a verdict of false", () => {
    const { client } = rekeying();
    expect(() => client.verified(false)).toThrow(expect.objectContaining({ code: "kex" }));
    expect(() => client.next()).toThrow(expect.objectContaining({ code: "kex" }));
  });

  it("refuses a host key that is not the first one, with a good verdict (RFC 4253 section 9)", () => {
    const keys = [hostKey()];
    const server = new TransportMachine(options("server", { hostKeys: keys }));
    const { client } = untilVerdict(machine("client", later), server);
    client.verified(true);
    events(client);
    settle(client, server);
    keys[0] = otherHostKey();
    client.startRekey();
    untilVerdict(client, server);
    expect(() => client.verified(true)).toThrow(
      expect.objectContaining({ code: "hostkey", message: expect.stringContaining("another one on rekey") }),
    );
    expect(() => client.acceptHostKey()).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(() => client.next()).toThrow(expect.objectContaining({ code: "hostkey" }));
  });
});
