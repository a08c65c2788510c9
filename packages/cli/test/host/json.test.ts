import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatePrivateKey, hashPassword } from "@postern/node";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, it } from "vitest";
import { template } from "../../src/host/init.ts";
import { withoutComments } from "../../src/host/json/comments.ts";
import { hostSchema } from "../../src/host/json/schema.ts";
import { setupFromJson } from "../../src/host/json/setup.ts";
import type { HostSetup } from "../../src/host/setup.ts";

const folder = mkdtempSync(join(tmpdir(), "postern-host-json-"));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "host_ed25519"), generatePrivateKey(), { mode: 0o600 });

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Y5eDSBNKvM1k8Zqv1CSSm0vMHVsn5XSQGdKDGxnzg me";
const base = { listen: ["2222"], hostKeys: ["host_ed25519"], users: { ann: { keys: [key] } } };
const file = join(folder, "host.json");
const read = async (config: unknown): Promise<HostSetup> => {
  writeFileSync(file, typeof config === "string" ? config : JSON.stringify(config));
  return await setupFromJson(file, { hostKeys: [], ports: [] });
};

describe("the configuration of postern host in JSON", () => {
  it("is described by the schema that is published", () => {
    const published = join(import.meta.dirname, "../../schema/host.schema.json");
    const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", ...hostSchema };
    // POSTERN_WRITE_SCHEMA=1 writes the file after a change; biome formats it.
    if (process.env.POSTERN_WRITE_SCHEMA === "1") {
      mkdirSync(join(import.meta.dirname, "../../schema"), { recursive: true });
      writeFileSync(published, JSON.stringify(schema, null, 2));
    }
    expect(JSON.parse(readFileSync(published, "utf8"))).toEqual(schema);
    const validate = new Ajv2020({ strict: false }).compile(schema);
    expect(validate(base), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...base, port: 22 })).toBe(false);
  });

  it("becomes the options of a host, with paths relative to its folder", async () => {
    writeFileSync(join(folder, "bob.pub"), `${key}\n`);
    const setup = await read({
      ...base,
      listen: ["127.0.0.1:22", "[::1]:2222", "4022"],
      users: { ...base.users, bob: { password: await hashPassword("secret"), keysFiles: ["bob.pub"] } },
      socketMode: "0660",
      url: "https://{user}-{port}.example.com",
      health: "127.0.0.1:9090",
      limits: { connections: 5, penalties: false },
      log: { level: "VERBOSE", file: "host.log" },
      takeover: false,
    });
    expect(setup.listen).toEqual([
      { host: "127.0.0.1", port: 22 },
      { host: "::1", port: 2222 },
      { host: "::", port: 4022 },
      { host: "0.0.0.0", port: 4022 },
    ]);
    const { options, log, health, isKnown } = setup;
    expect(options).toMatchObject({ socketMode: 0o660, takeover: false, limits: { connections: 5, penalties: false } });
    expect(options.url?.({ port: 80, address: "a" } as never, { user: "a/b" } as never)).toBe(
      "https://a%2Fb-80.example.com",
    );
    expect(options.authorize.methods).toEqual(["publickey", "password", "keyboard-interactive"]);
    expect([log.level, log.file, health]).toEqual([
      "VERBOSE",
      join(folder, "host.log"),
      { host: "127.0.0.1", port: 9090 },
    ]);
    expect([isKnown?.("bob"), isKnown?.("toString")]).toEqual([true, false]);
  });

  it.each([
    [{ ...base, listen: [22] }, "expected listen[0] to be a text, got 22"],
    [{ ...base, listen: ["70000"] }, "expected listen[0] to have a port up to 65535, got 70000"],
    [
      { ...base, users: { ann: { password: "hunter2" } } },
      "expected users.ann.password to be a text like ^\\$(?:scrypt|argon2id)\\$, got another",
    ],
    [{ ...base, users: { ann: {} } }, 'expected a password or keys for "ann", got neither'],
    [
      { ...base, users: { ann: { keys: ["ssh-ed25519 x"] } } },
      'expected valid authorized keys of "ann", got an error in line 1',
    ],
    [{ ...base, gatewayPorts: "all" }, 'expected gatewayPorts to be "no" or "yes" or "clientspecified", got "all"'],
    [{ ...base, limits: { visitors: 1 } }, "expected limits to have connections, startups"],
    [{ ...base, hostKeys: ["missing"] }, `Unable to load host key "${folder}/missing": No such file or directory`],
    ['{ "listen": ["2222"],\n  oops }', "expected JSON, got a mistake at line 2, column 3"],
  ])("refuses %j with the path, the expected value and the actual one", async (config, message) => {
    const error = await read(config).then(
      () => undefined,
      (problem: Error) => problem,
    );
    expect(error?.message).toContain(message);
    expect(error?.message).not.toContain("hunter2");
  });

  it("may have comments, and commas at the end of lists", () => {
    const text = '{ // a "comment"\n "a": "// no comment, /* nor */ this", /* one\n more */ "b": [1, 2,\n ],\n}';
    expect(JSON.parse(withoutComments(text))).toEqual({ a: "// no comment, /* nor */ this", b: [1, 2] });
    expect(withoutComments(text)).toHaveLength(text.length);
  });

  it("begins with a template that asks only for the keys of the user", async () => {
    await expect(read(template)).rejects.toThrow('expected a password or keys for "deploy", got neither');
    const { listen } = await read(template.replace('"keys": []', `"keys": ["${key}"]`));
    expect(listen).toEqual([
      { host: "::", port: 2222 },
      { host: "0.0.0.0", port: 2222 },
    ]);
  });
});
