/** Answers to a method that expects none, calls in the wrong state, and the last request of a login. */
import {
  type Bytes,
  PublickeyQuery,
  ServiceAccept,
  ServiceRequest,
  UserauthFailure,
  UserauthInfoRequest,
  UserauthRequest,
  UserauthSuccess,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { AuthClientMachine, type AuthEntry, AuthServerMachine, none, password } from "../src/index.ts";
import { context } from "./context.ts";

const accept = ServiceAccept.encode({ service: "ssh-userauth" });
const refused = UserauthFailure.encode({ canContinue: ["password"], partialSuccess: false });
const accepted = UserauthFailure.encode({ canContinue: ["password"], partialSuccess: true });
const misuse = expect.objectContaining({ code: "misuse" });

/** Starts a login in one flight, and returns a function that passes messages on and runs the steps that follow. */
const login = (...methods: readonly AuthEntry[]) => {
  const requests: string[] = [];
  const send = (payload: Bytes): void => {
    if (payload[0] === UserauthRequest.number) requests.push(UserauthRequest.decode(payload).method);
  };
  const machine = new AuthClientMachine({ sink: { writable: true, send }, methods });
  const run = async (...payloads: readonly Bytes[]): Promise<void> => {
    for (const payload of payloads) machine.receive(payload);
    for (let event = machine.next(); event !== undefined; event = machine.next()) {
      if (event.type === "step") machine.proceed(await event.dialog.next(event.answer));
    }
  };
  return { machine, requests, run };
};

describe("a client", () => {
  it("gives up `none` if the server prompts, because it expects no answer but the result (RFC 4252 section 5.2)", async () => {
    const { machine, requests, run } = login(none(), password("secret"));
    machine.start(context, true);
    await run();
    const prompt = UserauthInfoRequest.encode({ name: "", instruction: "", language: "", prompts: [] });
    await run(accept, prompt);
    expect(requests).toEqual(["none", "password"]);
  });

  it("ignores what EXT_INFO says before the login begins", () => {
    const { machine, requests } = login(password("secret"));
    machine.learn({ serverAlgorithms: ["ssh-ed25519"] });
    expect([machine.next(), requests]).toEqual([undefined, []]);
  });

  it("throws misuse for a result or an error of a method that is not asked for one", async () => {
    const { machine, run } = login(password("secret"));
    expect(() => machine.proceed(undefined)).toThrow(misuse);
    expect(() => machine.giveUp("no")).toThrow(misuse);
    machine.start(context, true);
    await run(accept);
    expect(() => machine.proceed(new Uint8Array(1))).toThrow(misuse);
    expect(() => machine.giveUp("no")).toThrow(misuse);
    // Neither call has changed the login.
    await run(UserauthSuccess.encode({}));
    expect(() => machine.proceed(undefined)).toThrow("got authenticated");
  });

  it("knows whether the answer that is due ends the login", async () => {
    const { machine, run } = login(password("secret"), none());
    machine.start(context, true);
    expect([machine.awaitsAnswer, machine.lastRequestIsOut]).toEqual([false, false]);
    await run(accept);
    // The server may prompt for a change of the password.
    expect([machine.awaitsAnswer, machine.lastRequestIsOut]).toEqual([true, false]);
    await run(accepted);
    // The password is accepted, and `none` is one request.
    expect([machine.awaitsAnswer, machine.lastRequestIsOut]).toEqual([true, true]);
  });

  it("does not take the answer for the last one if another method is left", async () => {
    const { machine, run } = login(none(), password("secret"));
    machine.start(context, true);
    await run(accept);
    expect([machine.awaitsAnswer, machine.lastRequestIsOut]).toEqual([true, false]);
    // A refused password may be changed, so it is not one request.
    await run(refused);
    expect([machine.awaitsAnswer, machine.lastRequestIsOut, machine.refusals]).toEqual([true, false, 1]);
  });
});

describe("a server", () => {
  const begun = (): AuthServerMachine => {
    const sink = { writable: true, send: () => {} };
    const machine = new AuthServerMachine({ sink, methods: ["publickey"], algorithms: [], banner: undefined });
    machine.receive(ServiceRequest.encode({ service: "ssh-userauth" }));
    return machine;
  };
  const request = (method: string, specificData: Bytes): Bytes =>
    UserauthRequest.encode({ user: "me", service: "ssh-connection", method, specificData });

  it("throws misuse for input while the program decides", () => {
    const machine = begun();
    const asked = request("none", new Uint8Array(0));
    machine.receive(asked);
    expect(machine.wantsInput).toBe(false);
    expect(() => machine.receive(asked)).toThrow(misuse);
  });

  it("throws misuse for a key before `start` has set the session identifier", () => {
    const fields = { hasSignature: false, algorithm: "ssh-ed25519", publicKey: new Uint8Array(51) };
    expect(() => begun().receive(request("publickey", PublickeyQuery.encode(fields)))).toThrow(misuse);
  });
});
