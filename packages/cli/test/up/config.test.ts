import { readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { defineTunnels, type TunnelsConfig } from "../../src/index.ts";
import { ConfigError, readBySchema } from "../../src/system/schema.ts";
import { checkConfig } from "../../src/up/config/read-config.ts";
import { tunnelsSchema } from "../../src/up/config/schema.ts";

const fingerprint = "SHA256:rr1ev+W69ZCB7nh4k9WnBxY9sXAMoPm58l4oAqxHgt0";
const env = { PW: "hunter2", HOME_SERVER: "ssh.example.com", PORTS: "8080" };
const web = { port: 8080, target: { host: "127.0.0.1", port: 3000 } };
const shop = { host: "ssh.example.com", user: "deploy", agent: true, forwards: [web] } as const;
const read = (value: unknown): TunnelsConfig => checkConfig(value, "/etc/postern", env);
const readTunnel = (tunnel: object) => read({ tunnels: { shop: tunnel } }).tunnels.shop;

/** The syntax of a variable in the file. */
const variable = (name: string): string => `$\{${name}}`;

/** Every option that there is. */
const full = defineTunnels({
  $schema: "./postern.schema.json",
  log: { level: "debug" },
  health: { address: "127.0.0.1", port: 9090 },
  control: "run/postern.sock",
  drainMs: 8000,
  watch: false,
  tunnels: {
    shop: {
      host: "ssh.example.com",
      port: 2222,
      user: "deploy",
      identity: ["~/.ssh/id_ed25519", { file: "key", certificate: "key-cert.pub", passphrase: { env: "PW" } }],
      agent: "/run/agent.sock",
      password: { file: "password" },
      hostKey: [fingerprint],
      hostKeyAlias: "alias",
      via: [{ host: "jump.example.com", port: 22, user: "me", agent: true, hostKey: fingerprint }],
      proxy: "socks5://127.0.0.1:1080",
      keepAlive: { intervalMs: 10_000, countMax: 3 },
      reconnect: { intervalMs: 500, maxRetries: 10, factor: 1.5, maxIntervalMs: 30_000 },
      loginTimeoutMs: 20_000,
      targetTimeoutMs: 5000,
      forwards: [
        {
          address: "",
          port: 0,
          target: { host: "127.0.0.1", port: 443, tls: true },
          limits: { connections: 10, bytesPerSecond: 1000, idleTimeoutMs: 1000, lifetimeMs: 1000 },
          proxyProtocol: 2,
          wait: false,
          keepPort: true,
          targetRetryMs: 100,
          url: "https://shop.example.com",
        },
        { path: "/run/remote.sock", target: { path: "web.sock" } },
        { port: 1080, target: "socks", allow: ["*.internal:443", "10.0.0.5:*"] },
      ],
      local: [{ address: "127.0.0.1", port: 5432, target: { host: "db", port: 5432 }, limits: { connections: 5 } }],
      dynamic: [{ path: "socks.sock" }],
    },
    alias: { ssh: { host: "me@server", file: "ssh_config", allowExec: true }, password: { env: "PW" } },
    hosted: { service: "localhost.run", forwards: [{ target: { host: "127.0.0.1", port: 3000 } }] },
    pinggy: {
      service: { name: "pinggy", token: { env: "PW" }, type: "tcp" },
      forwards: [{ target: { host: "127.0.0.1", port: 3000 } }],
    },
    known: { ...shop, hostKey: { knownHosts: ["known_hosts"], mode: "accept-new" } },
  },
});

describe("the configuration of postern up", () => {
  it("is described by the schema that is published", () => {
    const file = join(import.meta.dirname, "../../schema/postern.schema.json");
    const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", ...tunnelsSchema };
    // POSTERN_WRITE_SCHEMA=1 writes the file after a change; biome formats it.
    if (process.env.POSTERN_WRITE_SCHEMA === "1") writeFileSync(file, JSON.stringify(schema, null, 2));
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(schema);
  });

  it("of the documentation has no mistake", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../../docs/many-tunnels.md"), "utf8");
    const [, example = ""] = /```json\n(.*?)```/s.exec(page) ?? [];
    expect(Object.keys(read(JSON.parse(example)).tunnels)).toEqual(["shop", "wiki", "preview"]);
  });

  it("may have every option that the types have", () => {
    expect(read(full).tunnels.shop?.forwards?.[0]).toEqual(full.tunnels.shop?.forwards?.[0]);
  });

  it("has absolute paths, relative to its folder or the home folder", () => {
    const { control, tunnels } = read(full);
    expect(control).toBe("/etc/postern/run/postern.sock");
    expect(tunnels.shop?.identity).toEqual([
      join(homedir(), ".ssh/id_ed25519"),
      { file: "/etc/postern/key", certificate: "/etc/postern/key-cert.pub", passphrase: { env: "PW" } },
    ]);
    expect(tunnels.shop?.forwards?.[1]).toEqual({
      path: "/run/remote.sock",
      target: { path: "/etc/postern/web.sock" },
    });
  });

  it("replaces variables of the environment in hosts, users and paths, and nowhere else", () => {
    const tunnel = readTunnel({
      ...shop,
      host: variable("HOME_SERVER"),
      forwards: [{ ...web, url: `http://${variable("HOME_SERVER")}/` }],
    });
    expect(tunnel?.host).toBe("ssh.example.com");
    expect(tunnel?.forwards?.[0]?.url).toBe(`http://${variable("HOME_SERVER")}/`);
    expect(() => readTunnel({ ...shop, user: variable("NOBODY") })).toThrow(
      'expected tunnels.shop.user to name variables of the environment that are set, got "NOBODY"',
    );
  });

  const mistakes: readonly (readonly [unknown, string | RegExp])[] = [
    [{}, "expected tunnels to be set, got nothing"],
    [[], "expected the file to be an object, got a list"],
    [{ tunnels: {} }, "expected tunnels to be at least 1 entries, got 0"],
    [{ tunnels: { shop }, tunels: {} }, /^expected the file to have .*tunnels, got "tunels"$/],
    [{ tunnels: { "a b": shop } }, /^expected the names in tunnels to be like .*, got "a b"$/],
    [
      { tunnels: { shop: { ...shop, ssh: "alias" } } },
      "expected tunnels.shop to be an object with one of host, ssh, service, got host, ssh",
    ],
    [{ tunnels: { shop: { ...shop, port: 0 } } }, "expected tunnels.shop.port to be a number from 1 to 65535, got 0"],
    [{ tunnels: { shop: { ...shop, port: "22" } } }, "expected tunnels.shop.port to be a whole number, got a text"],
    [
      { tunnels: { shop: { ...shop, password: "hunter2" } } },
      "expected tunnels.shop.password to be an object, got a text",
    ],
    [
      { tunnels: { shop: { ...shop, password: { env: "MISSING" } } } },
      "expected tunnels.shop.password.env to name a variable of the environment that is set, got MISSING",
    ],
    [
      { tunnels: { shop: { ...shop, agent: false } } },
      "expected tunnels.shop to have identity, agent or password, got none",
    ],
    [
      { tunnels: { shop: { ...shop, service: { name: "pingy" }, host: undefined } } },
      /^expected tunnels\.shop\.service to be an object with name "localhost\.run" or .*, got another$/,
    ],
    [
      { tunnels: { shop: { ...shop, forwards: [{ ...web, port: -1 }] } } },
      "expected tunnels.shop.forwards[0].port to be a number from 0 to 65535, got -1",
    ],
    [
      { tunnels: { shop: { ...shop, forwards: [{ ...web, target: { host: "127.0.0.1" } }] } } },
      "expected tunnels.shop.forwards[0].target.port to be set, got nothing",
    ],
    [
      { tunnels: { shop: { ...shop, forwards: [{ port: 1, target: "socks" }] } } },
      "expected tunnels.shop.forwards[0].allow with the target socks, and only with it",
    ],
    [
      { tunnels: { shop: { ...shop, log: { level: "loud" } } } },
      /^expected tunnels\.shop to have host, .*, got "log"$/,
    ],
    [
      { tunnels: { shop }, log: { level: "loud" } },
      'expected log.level to be "debug" or "info" or "warn" or "error", got "loud"',
    ],
  ];
  it.each(mistakes.map(([value, message]) => [String(message), value, message] as const))(
    "says where the mistake is, what was expected and what came: %s",
    (_, value, message) => {
      expect(() => read(value)).toThrow(message);
      expect(() => read(value)).toThrow(ConfigError);
    },
  );

  it("is judged by its checker as by another implementation of JSON Schema (ajv)", () => {
    const ajv = new Ajv2020({ strict: false });
    const validate = ajv.compile({ ...tunnelsSchema });
    const isValid = (value: unknown): boolean => {
      try {
        readBySchema(tunnelsSchema, value);
        return true;
      } catch {
        return false;
      }
    };
    const disagreements: string[] = [];
    let refused = 0;
    for (const value of mutations(JSON.parse(JSON.stringify(full)))) {
      const verdict = validate(value);
      if (!verdict) refused++;
      if (verdict !== isValid(value))
        disagreements.push(JSON.stringify([verdict, ajv.errorsText(validate.errors), value]));
    }
    expect(disagreements).toEqual([]);
    expect(refused).toBeGreaterThan(300);
  });
});

const others = ["", 0, -1, 1.5, 70_000, true, null, [], {}, [1], { env: "X" }, { host: "a", path: "b" }];

/** Yields the value, and copies of it in which one part is replaced, removed or added. */
function* mutations(value: unknown): Generator<unknown> {
  yield value;
  yield* others;
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield { ...value, unknown: 1 };
  for (const [name, part] of Object.entries(value)) {
    const isList = Array.isArray(value);
    if (isList) yield value.filter((one) => one !== part);
    else {
      const { [name]: _, ...rest } = value as Record<string, unknown>;
      yield rest;
    }
    for (const other of mutations(part))
      yield isList ? value.map((one) => (one === part ? other : one)) : { ...value, [name]: other };
  }
}
