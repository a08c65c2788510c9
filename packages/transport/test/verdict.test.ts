/** Host key algorithms that verify asynchronously, such as those of WebCrypto. */

import type { PublicKeyAlgorithm } from "@postern/crypto";
import { modernAlgorithms, sshEd25519 } from "@postern/noble";
import { describe, expect, it } from "vitest";
import type { TransportEvent } from "../src/transport-events.ts";
import { TransportMachine } from "../src/transport-machine.ts";
import { events, hostKey, machine, options, otherHostKey, pair, settle } from "./raw-peer.ts";

/** A machine never awaits it. */
const verdict: PromiseLike<boolean> = new Promise(() => {});
const withVerify = (verify: PublicKeyAlgorithm["verify"]) => ({
  algorithms: { ...modernAlgorithms, hostKeys: [{ ...sshEd25519, verify }] },
});
const asynchronous = withVerify(() => verdict);
const data = Uint8Array.of(94, 1, 2);
const types = (received: readonly TransportEvent[]): string[] => received.map(({ type }) => type);

/** Returns all events that are due, without decisions. */
function eventsOf(of: TransportMachine): TransportEvent[] {
  const all: TransportEvent[] = [];
  for (let event = of.next(); event !== undefined; event = of.next()) all.push(event);
  return all;
}

/** Runs a key exchange until the client waits for its verdict. Returns the events of the client. */
function untilVerdict(client = machine("client", asynchronous), server = machine("server")) {
  const received: TransportEvent[] = [];
  for (let turn = 0; turn < 2; turn++) {
    server.receive(client.takeOutput() ?? expect.unreachable());
    events(server);
    client.receive(server.takeOutput() ?? expect.unreachable());
    received.push(...eventsOf(client));
  }
  return { client, server, received };
}

describe("an asynchronous verdict", () => {
  it("pauses input and output, and delays the event hostKey", () => {
    const { client, received } = untilVerdict();
    expect(types(received)).toEqual(["identified", "verify"]);
    expect(received.at(-1)).toEqual({ type: "verify", verdict, algorithm: "ssh-ed25519" });
    expect([client.wantsInput, client.writable, client.deadline]).toEqual([false, false, undefined]);
    expect(client.takeOutput()).toBeUndefined();
    expect(() => client.acceptHostKey()).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(client.wantsInput).toBe(false);
  });

  it("continues with the event hostKey if it is true", () => {
    const { client, server } = untilVerdict();
    client.verified(true);
    expect(client.wantsInput).toBe(false);
    expect(client.next()).toEqual({ type: "hostKey", hostKey: hostKey().publicKey, algorithm: "ssh-ed25519" });
    expect([client.wantsInput, client.takeOutput()]).toEqual([false, undefined]);
    expect(() => client.verified(true)).toThrow(expect.objectContaining({ code: "misuse" }));
    client.acceptHostKey();
    // NEWKEYS and EXT_INFO of the server have already arrived.
    expect(types(eventsOf(client))).toEqual(["resumed", "keys", "extInfo"]);
    settle(client, server);
    expect(client.sessionId).toEqual(server.sessionId);
    client.send(data);
    expect(types(settle(client, server)[1])).toEqual(["payload"]);
  });

  it("produces the same bytes as a synchronous verdict", () => {
    const [immediate, delayed] = [
      untilVerdict(
        machine(
          "client",
          withVerify(() => true),
        ),
      ),
      untilVerdict(),
    ];
    delayed.client.verified(true);
    delayed.client.next();
    for (const { client } of [immediate, delayed]) client.acceptHostKey();
    expect(delayed.client.takeOutput()).toEqual(immediate.client.takeOutput());
  });

  it.each([false, undefined, 1, "yes", {}])("fails the key exchange if it is %j", (answer) => {
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

  it("keeps the input that arrives before it", () => {
    const { client, server } = untilVerdict();
    server.send(data);
    for (const byte of server.takeOutput() ?? expect.unreachable()) {
      client.receive(Uint8Array.of(byte));
      expect(client.next()).toBeUndefined();
    }
    client.verified(true);
    const [asked] = eventsOf(client);
    expect(asked?.type).toBe("hostKey");
    client.acceptHostKey();
    const received = eventsOf(client);
    expect(types(received)).toEqual(["resumed", "keys", "extInfo", "payload"]);
    expect(received.at(-1)).toMatchObject({ payload: data });
  });

  it("throws misuse from verified() if none is due", () => {
    for (const one of [machine("client", asynchronous), machine("server", asynchronous)]) {
      expect(() => one.verified(true)).toThrow(expect.objectContaining({ code: "misuse" }));
      // Misuse does not end the connection.
      expect(one.next()).toBeUndefined();
    }
  });
});

describe("a synchronous verdict", () => {
  it("does not pause the machine", () => {
    for (const client of [
      machine("client"),
      machine(
        "client",
        withVerify(() => true),
      ),
    ]) {
      expect(types(untilVerdict(client).received)).toEqual(["identified", "hostKey"]);
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

  it.each([1, "yes", {}])("is not accepted if it is %j, and is passed on as asynchronous", (odd) => {
    const { received } = untilVerdict(
      machine(
        "client",
        withVerify(() => odd as unknown as boolean),
      ),
    );
    expect(received.at(-1)).toMatchObject({ type: "verify", verdict: odd });
  });

  it.each([undefined, null])("fails the key exchange if it is %j", (odd) => {
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

describe("a rekey with an asynchronous verdict", () => {
  /** Runs a first exchange, then a rekey until the client waits for its verdict. */
  function rekeying() {
    let first = true;
    const verify: PublicKeyAlgorithm["verify"] = (...args) => (first ? sshEd25519.verify(...args) : verdict);
    const both = pair(withVerify(verify));
    first = false;
    both.client.startRekey();
    return { ...both, ...untilVerdict(both.client, both.server) };
  }

  it("continues without the event hostKey", () => {
    const { client, server, received } = rekeying();
    expect(types(received)).toEqual(["verify"]);
    expect([client.wantsInput, client.writable]).toEqual([false, false]);
    server.send(data);
    client.receive(server.takeOutput() ?? expect.unreachable());
    expect(client.next()).toBeUndefined();
    client.verified(true);
    expect(types(eventsOf(client))).toEqual(["resumed", "keys", "payload"]);
    expect(types(settle(client, server)[1])).toEqual(["keys"]);
  });

  it("fails if the verdict is false", () => {
    const { client } = rekeying();
    expect(() => client.verified(false)).toThrow(expect.objectContaining({ code: "kex" }));
    expect(() => client.next()).toThrow(expect.objectContaining({ code: "kex" }));
  });

  it("rejects another host key, even if the verdict is true (RFC 4253 section 9)", () => {
    const keys = [hostKey()];
    const server = new TransportMachine(options("server", { hostKeys: keys }));
    const { client } = untilVerdict(machine("client", asynchronous), server);
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
