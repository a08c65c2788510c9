/** Functions in `auth`, the method none, and the bounds of a login that a server drags out. */
import {
  type Bytes,
  ServiceAccept,
  UserauthFailure,
  UserauthInfoRequest,
  UserauthPasswdChangereq,
  UserauthRequest,
  UserauthSuccess,
} from "@postern/wire";
import { describe, expect, it } from "vitest";
import {
  AuthClientMachine,
  type AuthContext,
  type AuthEntry,
  type AuthMethod,
  keyboardInteractive,
  none,
  password,
} from "../src/index.ts";
import { context } from "./context.ts";

const accept = ServiceAccept.encode({ service: "ssh-userauth" });
const refused = (...canContinue: string[]): Bytes => UserauthFailure.encode({ canContinue, partialSuccess: false });
const partial = (...canContinue: string[]): Bytes => UserauthFailure.encode({ canContinue, partialSuccess: true });

class Client {
  readonly requests: string[] = [];
  readonly machine: AuthClientMachine;

  constructor(...methods: readonly AuthEntry[]) {
    const send = (payload: Bytes): void => {
      if (payload[0] === UserauthRequest.number) this.requests.push(UserauthRequest.decode(payload).method);
    };
    this.machine = new AuthClientMachine({ sink: { writable: true, send }, methods });
    this.machine.start(context, false);
  }

  async receive(...payloads: readonly Bytes[]): Promise<void> {
    for (const payload of payloads) {
      this.machine.receive(payload);
      for (let event = this.machine.next(); event !== undefined; event = this.machine.next()) {
        if (event.type !== "step") continue;
        try {
          this.machine.proceed(await event.dialog.next(event.answer));
        } catch (error) {
          this.machine.giveUp((error as Error).message, error);
        }
      }
    }
  }
}

/** A method that sends its name, and records its context. */
const method = (name: string, contexts: AuthContext[] = [], label?: string): AuthMethod => ({
  name,
  ...(label !== undefined && { label }),
  begin(given) {
    contexts.push(given);
    const specificData = new Uint8Array(0);
    return {
      next: () => UserauthRequest.encode({ user: "test", service: "ssh-connection", method: name, specificData }),
    };
  },
});

describe("a function in auth", () => {
  it("is called when its turn comes, and its methods take its place", async () => {
    let calls = 0;
    const client = new Client(
      method("a"),
      async ({ user }) => {
        calls++;
        return [method("b"), () => method(`of-${user}`)];
      },
      method("d"),
    );
    await client.receive(accept);
    expect(calls).toBe(0);
    await client.receive(refused("a", "b", "of-test", "d"));
    expect(calls).toBe(1);
    await client.receive(refused("a", "b", "of-test", "d"), refused("a", "b", "of-test", "d"));
    expect(client.requests).toEqual(["a", "b", "of-test", "d"]);
    await client.receive(UserauthSuccess.encode({}));
  });

  it("waits for EXT_INFO, because its methods may need the server's algorithms", async () => {
    const contexts: AuthContext[] = [];
    const client = new Client(() => method("a", contexts));
    client.machine.learn({ serverAlgorithms: ["x"] });
    client.machine.learn({ hostbound: true });
    await client.receive(accept);
    expect(contexts).toMatchObject([{ serverAlgorithms: ["x"], hostbound: true, refusalsLeft: 5 }]);
  });

  it("that fails, or returns no method, leads on to the next method", async () => {
    const client = new Client(
      () => Promise.reject(new Error("the vault is sealed")),
      () => [],
      method("last"),
    );
    await client.receive(accept);
    await expect(client.receive(refused("last"))).rejects.toMatchObject({
      code: "auth",
      message: expect.stringContaining("tried function (the vault is sealed), last (refused)"),
    });
  });

  it("is not called again after partial success; its refused methods come last", async () => {
    let calls = 0;
    const client = new Client(() => {
      calls++;
      return [method("key", [], "first"), method("key", [], "second"), method("key", [], "third")];
    }, method("password"));
    await client.receive(accept, refused("key", "password"), partial("key", "password"));
    expect(client.requests).toEqual(["key", "key", "key"]);
    await client.receive(refused("key", "password"));
    expect(client.requests.at(-1)).toBe("password");
    await expect(client.receive(refused("key"), refused("key"))).rejects.toThrow(
      "first (refused), second (accepted, not enough), third (refused), password (refused), first (refused)",
    );
    expect(calls).toBe(1);
  });
});

describe("refusalsLeft", () => {
  it("leaves a request for each later entry before the server's sixth refusal (MaxAuthTries)", async () => {
    const contexts: AuthContext[] = [];
    const client = new Client(...["a", "b", "c", "d"].map((name) => method(name, contexts)));
    await client.receive(accept);
    for (let n = 0; n < 3; n++) await client.receive(refused("a", "b", "c", "d"));
    expect(contexts.map(({ refusalsLeft }) => refusalsLeft)).toEqual([3, 3, 3, 2]);
  });
});

describe("none", () => {
  it("is one request without data (RFC 4252 section 5.2)", () => {
    const payload = none().begin(context).next(undefined) as Bytes;
    expect(UserauthRequest.decode(payload)).toEqual({
      user: "test",
      service: "ssh-connection",
      method: "none",
      specificData: new Uint8Array(0),
    });
  });

  it("is tried even after a refusal, because no server lists it", async () => {
    const client = new Client(password("x"), none());
    await client.receive(accept, refused("password"));
    expect(client.requests).toEqual(["password", "none"]);
  });
});

describe("a server that drags the login out", () => {
  const question = UserauthInfoRequest.encode({ name: "", instruction: "", language: "", prompts: [] });
  const change = UserauthPasswdChangereq.encode({ prompt: "again", language: "en" });

  it.each([
    ["prompts", keyboardInteractive(() => []), question],
    ["password changes", password("old", { onChange: () => "new" }), change],
  ])("is stopped after 64 %s", async (_what, endless, message) => {
    const client = new Client(endless);
    await client.receive(accept, ...Array.from({ length: 64 }, () => message));
    await expect(client.receive(message)).rejects.toMatchObject({ code: "limit" });
  });

  it("cannot make the error long", async () => {
    const client = new Client(...Array.from({ length: 500 }, () => method("key")));
    await client.receive(accept);
    const endless = async (): Promise<void> => {
      for (;;) await client.receive(refused("key"));
    };
    const error = await endless().catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ message: expect.stringMatching(/key \(refused\) and 488 more; the server accepts/) });
    expect(client.requests.length).toBe(500);
  });
});

describe("password", () => {
  it("passes each demand for a change to the program, with the language, and asks for the old one once", async () => {
    let asked = 0;
    const demands: string[] = [];
    const login = password(() => `old${++asked}`, {
      onChange: (prompt, language) => `new${demands.push(`${prompt} ${language}`)}`,
    });
    const client = new Client(login);
    const demand = UserauthPasswdChangereq.encode({ prompt: "too \u0007old", language: "en" });
    await client.receive(accept, demand, demand, UserauthSuccess.encode({}));
    expect(demands).toEqual(["too \\u{7}old en", "too \\u{7}old en"]);
    expect([asked, client.requests]).toEqual([1, ["password", "password", "password"]]);
  });
});
