/** Middleware, as the handler inside and the visitor outside see it. */
import { rejection } from "@postern/testkit";
import { describe, expect, it } from "vitest";
import {
  allowAddresses,
  basicAuth,
  bearerAuth,
  forwardedHeaders,
  type HttpHandler,
  type Middleware,
  rewriteHost,
} from "../src/index.ts";

const echo: HttpHandler = (request) =>
  Response.json({ url: request.url, headers: Object.fromEntries(request.headers) });

/** Sends a request through a middleware. */
async function ask(
  middleware: Middleware,
  headers: Record<string, string> = {},
  origin = "192.0.2.7",
): Promise<{
  readonly status: number;
  readonly challenge: string | null;
  readonly seen: { readonly url: string; readonly headers: Record<string, string> } | undefined;
}> {
  const forwarding = (async function* () {})();
  const request = new Request("http://app.example:8080/path?q=1", { headers });
  const response = await middleware(echo)(request, { origin: { host: origin, port: 4711 }, forwarding });
  const challenge = response.headers.get("www-authenticate");
  return { status: response.status, challenge, seen: response.ok ? await response.json() : undefined };
}

const basic = (text: string): { authorization: string } => ({
  authorization: `Basic ${Buffer.from(text).toString("base64")}`,
});

describe("basicAuth (RFC 7617)", () => {
  const middleware = basicAuth({ ada: "lovelace", jürgen: "pass:wörd" }, 'the "realm"');

  it.each(["ada:lovelace", "jürgen:pass:wörd"])("lets %s in, and hides the password from the handler", async (text) => {
    const { status, seen } = await ask(middleware, basic(text));
    expect(status).toBe(200);
    expect(seen?.headers).not.toHaveProperty("authorization");
  });

  it.each([
    ["nothing", {}],
    ["a wrong password", basic("ada:Lovelace")],
    ["a prefix of the password", basic("ada:lovelac")],
    ["an empty password", basic("ada:")],
    ["the password of another user", basic("ada:pass:wörd")],
    ["no colon", basic("ada")],
    ["the name of a property of every object", basic("constructor:x")],
    ["no base64", { authorization: "Basic ***" }],
    ["no UTF-8", { authorization: `Basic ${Buffer.from([0xff, 0x3a, 0xff]).toString("base64")}` }],
    ["another scheme", { authorization: "Bearer lovelace" }],
    ["two credentials", { authorization: `${basic("ada:lovelace").authorization} x` }],
  ])("answers 401 with a challenge to %s", async (_, headers) => {
    expect(await ask(middleware, headers)).toEqual({
      status: 401,
      challenge: 'Basic realm="the \\"realm\\"", charset="UTF-8"',
      seen: undefined,
    });
  });

  it("asks a function, and takes only true as yes", async () => {
    const seen: string[] = [];
    const answers: unknown[] = [true, Promise.resolve(true), 1, "yes", undefined, false];
    const asking = basicAuth((user, password) => {
      seen.push(`${user} ${password}`);
      return answers.shift() as boolean;
    });
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) statuses.push((await ask(asking, basic("a:b"))).status);
    expect(statuses).toEqual([200, 200, 401, 401, 401, 401]);
    expect(seen[0]).toBe("a b");
  });

  it("takes the scheme in any case (RFC 9110 11.1)", async () => {
    const { authorization } = basic("ada:lovelace");
    expect((await ask(middleware, { authorization: authorization.replace("Basic", "bASIC") })).status).toBe(200);
  });

  it.each([[{}], [{ ada: "" }]])("refuses the table %j, whose passwords are missing", (users) => {
    expect(() => basicAuth(users)).toThrow(/expected/);
  });
});

describe("bearerAuth (RFC 6750)", () => {
  const middleware = bearerAuth(["token-1", "token-2"]);

  it("lets each token in, and hides it from the handler", async () => {
    for (const token of ["token-1", "token-2"]) {
      const { status, seen } = await ask(middleware, { authorization: `Bearer ${token}` });
      expect(status).toBe(200);
      expect(seen?.headers).not.toHaveProperty("authorization");
    }
  });

  it.each(["", "Bearer", "Bearer token-3", "Bearer token-11", "Basic token-1", "Bearer token-1 token-2"])(
    "answers 401 to %j",
    async (authorization) => {
      expect(await ask(middleware, { authorization })).toMatchObject({
        status: 401,
        challenge: 'Bearer realm="postern"',
      });
    },
  );

  it.each([[[]], [[""]], [["a", ""]]])("refuses the list %j", (tokens) => {
    expect(() => bearerAuth(tokens)).toThrow(/expected tokens/);
  });
});

describe("allowAddresses", () => {
  const middleware = allowAddresses(["192.0.2.7", "10.0.0.0/8", "172.16.0.0/12", "2001:db8::/33"]);

  it.each(["192.0.2.7", "::ffff:192.0.2.7", "10.255.0.1", "172.31.255.255", "2001:db8:7fff::1"])(
    "lets %s in",
    async (origin) => expect((await ask(middleware, {}, origin)).status).toBe(200),
  );

  it.each(["192.0.2.8", "11.0.0.1", "172.32.0.0", "2001:db8:8000::1", "::1", "localhost", "", "10.0.0.1.example"])(
    "answers 403 to %j",
    async (origin) => expect((await ask(middleware, {}, origin)).status).toBe(403),
  );

  it("refuses all visitors if the list is empty", async () => {
    expect((await ask(allowAddresses([]))).status).toBe(403);
  });

  it.each(["localhost", "10.0.0.0/33", "10.0.0/8", "::/129", "", "10.0.0.0/", "10.0.0.0/8/8"])(
    "refuses the entry %j",
    (entry) => {
      expect(() => allowAddresses([entry])).toThrow(/expected an address or a network/);
    },
  );
});

describe("rewriteHost", () => {
  it.each([
    ["localhost:3000", "http://localhost:3000/path?q=1"],
    ["app.internal", "http://app.internal/path?q=1"],
    ["[::1]:80", "http://[::1]/path?q=1"],
  ])("sets the host %s", async (host, url) => {
    const { seen } = await ask(rewriteHost(host));
    expect(seen).toMatchObject({ url, headers: { host } });
  });

  it.each(["", "a/b", "user@host", "a b", "host:99999"])("refuses %j", async (host) => {
    expect(await rejection((async () => rewriteHost(host))())).toMatchObject({ code: "misuse" });
  });
});

describe("forwardedHeaders (RFC 7239)", () => {
  it("names the visitor and what it asked for, and drops what the visitor claims", async () => {
    const claims = { forwarded: "for=1.2.3.4", "x-forwarded-for": "1.2.3.4", "x-forwarded-host": "evil.example" };
    const { seen } = await ask(forwardedHeaders({ proto: "https" }), { ...claims, host: "app.example:8080" });
    expect(seen?.headers).toMatchObject({
      forwarded: 'for=192.0.2.7;host="app.example:8080";proto=https',
      "x-forwarded-for": "192.0.2.7",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "app.example:8080",
    });
  });

  it.each([
    ["2001:db8::1", 'for="[2001:db8::1]"', "2001:db8::1"],
    ["visitor.example", "for=unknown", "unknown"],
    ['1.2.3.4";by=x', "for=unknown", "unknown"],
  ])("writes the origin %s as %s", async (origin, forwarded, address) => {
    const { seen } = await ask(forwardedHeaders(), {}, origin);
    expect(seen?.headers.forwarded).toMatch(new RegExp(`^${forwarded.replace(/[[\]]/g, "\\$&")};`));
    expect(seen?.headers["x-forwarded-for"]).toBe(address);
  });
});
