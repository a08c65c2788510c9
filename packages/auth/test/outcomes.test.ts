/** Which methods a client tries after refusals and partial successes, and what the error says about them. */
import type { Signer } from "@postern/crypto";
import {
  type Bytes,
  ServiceAccept,
  SshError,
  UserauthBanner,
  UserauthFailure,
  UserauthInfoRequest,
  UserauthRequest,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  AuthClientMachine,
  type AuthContext,
  type AuthEntry,
  type AuthMethod,
  keyboardInteractive,
  password,
  publickey,
} from "../src/index.ts";
import { context } from "./context.ts";

const accept = ServiceAccept.encode({ service: "ssh-userauth" });
const refused = (...canContinue: string[]): Bytes => UserauthFailure.encode({ canContinue, partialSuccess: false });
const partial = (...canContinue: string[]): Bytes => UserauthFailure.encode({ canContinue, partialSuccess: true });

/** A method that sends its name, and records its contexts. */
const method = (name: string, contexts: AuthContext[] = []): AuthMethod => ({
  name,
  begin(given) {
    contexts.push(given);
    const specificData = new Uint8Array(0);
    const request = { user: given.user, service: "ssh-connection", method: name, specificData };
    return { next: () => UserauthRequest.encode(request) };
  },
});

/** Starts a login, and returns a function that passes messages on and runs the steps that follow. */
const login = (...methods: readonly AuthEntry[]) => {
  const requests: string[] = [];
  const send = (payload: Bytes): void => {
    if (payload[0] === UserauthRequest.number) requests.push(UserauthRequest.decode(payload).method);
  };
  const machine = new AuthClientMachine({ sink: { writable: true, send }, methods });
  machine.start(context, true);
  const run = async (...payloads: readonly Bytes[]): Promise<void> => {
    for (const payload of [new Uint8Array(0), ...payloads]) {
      if (payload.length > 0) machine.receive(payload);
      for (let event = machine.next(); event !== undefined; event = machine.next()) {
        if (event.type === "step") machine.proceed(await event.dialog.next(event.answer));
      }
    }
  };
  return { machine, requests, run };
};

/** Runs a login to its failure, and returns the error. */
const failed = async (run: () => Promise<void>): Promise<SshError> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof SshError) return error;
  }
  return expect.unreachable();
};

describe("a client", () => {
  it("wants no input while the program prepares a request", async () => {
    const { machine, run } = login(method("a"));
    expect(machine.wantsInput).toBe(false);
    await run();
    expect(machine.wantsInput).toBe(true);
  });

  it("expects no further answer only if one request of one method is left, and it is sent", async () => {
    const one = login({ ...method("a"), oneRequest: true });
    expect(one.machine.lastRequestIsOut).toBe(false);
    await one.run();
    expect(one.machine.lastRequestIsOut).toBe(true);
    const several = login(password("secret"));
    await several.run();
    expect(several.machine.lastRequestIsOut).toBe(false);
  });

  it("does not call a function in the first flight, because its methods may need EXT_INFO (RFC 8308)", async () => {
    const { requests, run } = login(() => method("a"));
    await run();
    expect(requests).toEqual([]);
    await run(accept);
    expect(requests).toEqual(["a"]);
  });

  it("rejects a banner before the login begins", () => {
    const machine = new AuthClientMachine({ sink: { writable: true, send: () => {} }, methods: [] });
    const banner = UserauthBanner.encode({ message: "hello", language: "" });
    expect(() => machine.receive(banner)).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  it("counts refusals, and no partial success as one (RFC 4252 section 5.1)", async () => {
    const { machine, run } = login(method("a"), method("b"), method("c"));
    await run(accept, partial("b", "c"));
    expect(machine.refusals).toBe(0);
    await run(refused("b", "c"));
    expect(machine.refusals).toBe(1);
  });

  it("leaves room for each later method once, after a partial success too", async () => {
    const contexts: AuthContext[] = [];
    const { run } = login(method("a", contexts), method("b", contexts), method("c", contexts));
    await run(accept, partial("b", "c"));
    // The server disconnects at the sixth refusal, and one request is left for `c`.
    expect(contexts.map(({ refusalsLeft }) => refusalsLeft)).toEqual([4, 5]);
  });

  it("tries a refused method again after the partial success of a method that a function returned", async () => {
    const { requests, run } = login(method("a"), () => [method("b")], method("c"));
    await run(accept, refused("a", "b", "c"), partial("a", "c"), refused("a", "c"));
    expect(requests).toEqual(["a", "b", "c", "a"]);
  });

  it("calls a function although the server lists no such method", async () => {
    const { requests, run } = login(method("a"), () => [method("b")]);
    await run(accept, refused("b"));
    expect(requests).toEqual(["a", "b"]);
  });
});

describe("the error of a failed login", () => {
  const many = (count: number): AuthMethod[] => Array.from({ length: count }, (_, n) => method(`m${n + 1}`));
  const names = (count: number): string[] => many(count).map(({ name }) => name);
  const refuseAll = async (count: number): Promise<SshError> => {
    const { run } = login(...many(count));
    return await failed(() => run(accept, ...names(count).map(() => refused(...names(count)))));
  };

  it("lists twelve methods, and counts the others", async () => {
    const twelve = await refuseAll(12);
    expect(twelve.message).toContain("m12 (refused);");
    expect(twelve.message).not.toContain("more");
    const thirteen = await refuseAll(13);
    expect(thirteen.message).toContain("m12 (refused) and 1 more;");
    expect(thirteen.message).not.toContain("m13 (refused)");
  });

  it("has a cause only if a method of ours has failed", async () => {
    expect("cause" in (await refuseAll(1))).toBe(false);
    const { machine } = login(method("a"));
    const cause = new Error("no agent");
    expect(() => machine.giveUp("no agent", cause)).toThrow(expect.objectContaining({ code: "credentials", cause }));
  });

  it("shortens a long reason", async () => {
    const { machine } = login(method("a"));
    const error = await failed(async () => machine.giveUp("x".repeat(100_000)));
    expect(error.message.length).toBeLessThan(1000);
  });
});

describe("a method", () => {
  it("passes an announcement on that has only an instruction (RFC 4256 section 3.2)", async () => {
    const seen: string[] = [];
    const dialog = keyboardInteractive(({ instruction }) => {
      seen.push(instruction);
      return [];
    }).begin(context);
    await dialog.next(UserauthInfoRequest.encode({ name: "", instruction: "Be brief", language: "", prompts: [] }));
    expect(seen).toEqual(["Be brief"]);
  });

  it("with a password that is known returns its request at once, so that it leaves in the first flight", () => {
    for (const secret of ["x", () => "x"]) {
      expect(password(secret).begin(context).next(undefined)).toBeInstanceOf(Uint8Array);
    }
  });

  it("with a signer that cannot sign throws misuse", () => {
    const signer = { publicKey: new Uint8Array(1), algorithms: ["ssh-ed25519"] } as unknown as Signer;
    expect(() => publickey(signer)).toThrow(expect.objectContaining({ code: "misuse" }));
  });
});
