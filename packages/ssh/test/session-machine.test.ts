/** The session without its driver, because a driver would stop at the first error. */
import { password } from "@postern/auth";
import { modernAlgorithms } from "@postern/noble";
import { seededRandom, testHostKey } from "@postern/testkit";
import { TransportMachine } from "@postern/transport";
import { GlobalRequest, ServiceAccept } from "@postern/wire";
import { describe, expect, it } from "vitest";
import { SessionMachine } from "../src/index.ts";
import { nothing } from "./helpers.ts";

const common = {
  algorithms: modernAlgorithms,
  random: seededRandom("session"),
  rekey: { bytes: 2 ** 40, packets: 2 ** 31, ms: 1e9 },
  now: 0,
};

/** A client's session that is logging in, and the server's transport. */
function begun(): { readonly session: SessionMachine; readonly server: TransportMachine } {
  const login = { user: "me", methods: [password("x")], signal: undefined };
  const session = new SessionMachine({ ...common, role: "client", hostKeys: [], version: "SSH-2.0-x", login });
  const server = new TransportMachine({ ...common, role: "server", hostKeys: [testHostKey()], version: "SSH-2.0-y" });
  for (let turn = 0; turn < 4; turn++) {
    server.receive(session.takeOutput() ?? nothing);
    for (let event = server.next(); event !== undefined; event = server.next()) {
      if (event.type === "sign") server.signed(event.signer.sign(event.data, event.algorithm) as Uint8Array);
    }
    session.receive(server.takeOutput() ?? nothing);
    for (let event = session.next(); event !== undefined; event = session.next()) {
      if (event.type === "hostKey") session.acceptHostKey();
    }
  }
  return { session, server };
}

describe("a session that has failed", () => {
  it("throws the same error in each later call, and handles no further input", () => {
    const { session, server } = begun();
    server.send(GlobalRequest.encode({ name: "x", wantReply: false, specificData: nothing }));
    server.send(ServiceAccept.encode({ service: "ssh-userauth" }));
    session.receive(server.takeOutput() ?? expect.unreachable());
    const thrown = (): unknown => {
      try {
        return session.next();
      } catch (error) {
        return error;
      }
    };
    const first = thrown();
    expect(first).toMatchObject({ code: "protocol" });
    expect(thrown()).toBe(first);
    expect(thrown()).toBe(first);
  });
});
