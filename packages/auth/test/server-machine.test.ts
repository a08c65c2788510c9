import { sshEd25519 } from "@postern/noble";
import {
  type Bytes,
  KeyboardInteractiveRequest,
  PasswordRequest,
  ServiceRequest,
  SshError,
  UserauthFailure,
  UserauthInfoRequest,
  UserauthInfoResponse,
  UserauthRequest,
  UserauthSuccess,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import { type AuthServerEvent, AuthServerMachine } from "../src/index.ts";

const methods = ["password", "keyboard-interactive"];
const prompts = [
  { prompt: "Password: ", echo: false },
  { prompt: "Code: ", echo: true },
];
const question = { name: "Login", instruction: "Two things", prompts };
const failure = UserauthFailure.encode({ canContinue: methods, partialSuccess: false });
const success = UserauthSuccess.encode({});

const request = (method: string, specificData: Bytes = new Uint8Array(0)): Bytes =>
  UserauthRequest.encode({ user: "test", service: "ssh-connection", method, specificData });
const interactive = request(
  "keyboard-interactive",
  KeyboardInteractiveRequest.encode({ language: "", submethods: "otp,pam" }),
);
const byPassword = request("password", PasswordRequest.encode({ isChange: false, password: "x" }));
const responses = (...given: string[]): Bytes => UserauthInfoResponse.encode({ responses: given });

function start(
  attempts?: number,
  offered = methods,
): { machine: AuthServerMachine; sent: Bytes[]; events: () => AuthServerEvent[] } {
  const sent: Bytes[] = [];
  const machine = new AuthServerMachine({
    sink: { writable: true, send: (head) => void sent.push(head) },
    methods: offered,
    algorithms: [sshEd25519],
    banner: undefined,
    attempts,
  });
  machine.start(new Uint8Array(32), new Uint8Array(1));
  machine.receive(ServiceRequest.encode({ service: "ssh-userauth" }));
  sent.length = 0;
  return {
    machine,
    sent,
    events: () => {
      const events: AuthServerEvent[] = [];
      for (let event = machine.next(); event !== undefined; event = machine.next()) events.push(event);
      return events;
    },
  };
}

describe("keyboard-interactive on a server", () => {
  it("sends prompts, and emits the answers (RFC 4256 3.2 to 3.4)", () => {
    const { machine, sent, events } = start();
    machine.receive(interactive);
    expect(events()).toEqual([
      { type: "attempt", attempt: { method: "keyboard-interactive", user: "test", submethods: ["otp", "pam"] } },
    ]);
    expect(machine.wantsInput).toBe(false);
    machine.ask(question);
    expect(machine.wantsInput).toBe(true);
    expect(sent.splice(0)).toEqual([UserauthInfoRequest.encode({ ...question, language: "" })]);
    machine.receive(responses("secret", "123"));
    expect(events()).toEqual([{ type: "responses", responses: ["secret", "123"] }]);
    machine.ask({ name: "", instruction: "", prompts: [] });
    machine.receive(responses());
    expect(events()).toEqual([{ type: "responses", responses: [] }]);
    sent.length = 0;
    machine.decide(true);
    expect(sent).toEqual([success]);
    expect(events()).toEqual([{ type: "authenticated", user: "test", method: "keyboard-interactive" }]);
  });

  it("fails if the number of answers is not that of the prompts (RFC 4256 3.4)", () => {
    const { machine, sent, events } = start();
    machine.receive(interactive);
    events();
    machine.ask(question);
    sent.length = 0;
    machine.receive(responses("secret"));
    expect(sent).toEqual([failure]);
    expect(events()).toEqual([{ type: "abandoned" }]);
    machine.receive(byPassword);
    expect(events()).toMatchObject([{ type: "attempt", attempt: { method: "password" } }]);
  });

  it("has no submethods if the client names none (RFC 4256 3.1)", () => {
    const { machine, events } = start();
    for (const [submethods, expected] of [
      ["", []],
      ["otp,", ["otp"]],
    ] as const) {
      machine.receive(request("keyboard-interactive", KeyboardInteractiveRequest.encode({ language: "", submethods })));
      expect(events()).toMatchObject([{ attempt: { submethods: expected } }]);
      machine.decide(false);
    }
  });

  it("is aborted by another request, without a failure for it (RFC 4252 5.1)", () => {
    const { machine, sent, events } = start();
    machine.receive(interactive);
    events();
    machine.ask(question);
    sent.length = 0;
    machine.receive(byPassword);
    expect(sent).toEqual([]);
    expect(events()).toEqual([
      { type: "abandoned" },
      { type: "attempt", attempt: { method: "password", user: "test", password: "x" } },
    ]);
    machine.decide(false);
    expect(sent).toEqual([failure]);
  });

  it("is aborted by a request of a method that is not offered, and another one may follow (RFC 4252 5.1)", () => {
    const { machine, sent, events } = start();
    machine.receive(interactive);
    machine.ask(question);
    events();
    sent.length = 0;
    machine.receive(request("hostbased"));
    expect(sent).toEqual([failure]);
    expect(events()).toEqual([{ type: "abandoned" }]);
    machine.receive(byPassword);
    expect(events()).toMatchObject([{ type: "attempt", attempt: { method: "password" } }]);
  });

  it("counts an aborted attempt as a failure", () => {
    const { machine, events } = start(3);
    for (let i = 0; i < 3; i++) {
      machine.receive(interactive);
      events();
      machine.ask(question);
    }
    expect(() => machine.receive(interactive)).toThrow(expect.objectContaining({ code: "auth" }));
  });

  it("sends no empty prompt, and no second request before the answer (RFC 4256 3 and 3.2)", () => {
    const { machine, sent, events } = start();
    machine.receive(interactive);
    events();
    const empty = { ...question, prompts: [...prompts, { prompt: "", echo: true }] };
    expect(() => machine.ask(empty)).toThrow(expect.objectContaining({ code: "misuse" }));
    machine.ask(question);
    expect(() => machine.ask(question)).toThrow(expect.objectContaining({ code: "misuse" }));
    expect(sent).toHaveLength(1);
  });

  it("rejects answers without prompts, and prompts for other methods", () => {
    const { machine, events } = start();
    expect(() => machine.receive(responses("secret"))).toThrow(SshError);
    machine.receive(byPassword);
    events();
    expect(() => machine.ask(question)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});

describe("a server", () => {
  it("never lists the method none (RFC 4252 sections 4 and 5.2)", () => {
    const { machine, sent } = start(undefined, ["none", ...methods]);
    machine.receive(request("none"));
    machine.decide(false);
    machine.receive(byPassword);
    machine.decide({ partial: ["none", "keyboard-interactive"] });
    expect(sent).toEqual([
      failure,
      UserauthFailure.encode({ canContinue: ["keyboard-interactive"], partialSuccess: true }),
    ]);
  });

  it("disconnects after the configured failures, except for a first none (RFC 4252 4 and 5.2)", () => {
    const { machine, sent, events } = start(2);
    machine.receive(request("none"));
    machine.decide(false);
    machine.receive(byPassword);
    machine.decide(false);
    expect(sent).toEqual([failure, failure]);
    machine.receive(byPassword);
    expect(() => machine.decide(false)).toThrow(expect.objectContaining({ code: "auth" }));
    expect(events()).toHaveLength(3);
  });

  it("ignores requests after the success (RFC 4252 5.1)", () => {
    const { machine, sent, events } = start();
    machine.receive(byPassword);
    machine.decide(true);
    machine.receive(byPassword);
    expect(sent).toEqual([success]);
    expect(events()).toHaveLength(2);
  });
});
