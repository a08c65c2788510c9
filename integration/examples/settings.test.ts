/** The settings of the examples: variables that are missing, and the host key, which is always checked. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Sshd, startSshd, userKey } from "../harness/index.ts";
import { pathOf, programOf, type Settings, settingsFor, startProgram } from "./example.ts";

const examples = ["express", "fastify", "hono", "webhook"];
const required = ["POSTERN_HOST", "POSTERN_USER", "POSTERN_KEY", "POSTERN_HOST_KEY"];

describe("the settings of the examples", () => {
  it.each(examples)("%s exits with the names of the variables that are missing", async (name) => {
    const running = await startProgram(name, { POSTERN_USER: "deploy" });
    expect(await running.exited).toBe(1);
    const absent = required.filter((one) => one !== "POSTERN_USER").join(", ");
    expect(running.stderr.text()).toContain(`expected ${absent}`);
  });

  it.each([...examples, "many-tunnels"])("%s documents each variable that it reads", (name) => {
    const program = readFileSync(pathOf(name, programOf(name)), "utf8");
    const names = new Set(program.match(/\b[A-Z]+(_[A-Z]+)+\b|\bTUNNELS\b/g));
    const page = readFileSync(pathOf(name, "README.md"), "utf8");
    expect(names.size).toBeGreaterThan(2);
    expect([...names].filter((one) => !page.includes(`\`${one}\``))).toEqual([]);
  });
});

describe.skipIf(missing("sshd"))("the host key of the examples", () => {
  let sshd: Sshd;
  let settings: Settings;
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    settings = await settingsFor(sshd);
  });
  afterAll(() => sshd?.stop());

  it.each(examples)("%s exits with the fingerprint of a server that it does not expect", async (name) => {
    const env = {
      ...settings.env,
      POSTERN_HOST_KEY: `SHA256:${"A".repeat(43)}`,
      WEBHOOK_SECRET: "x",
      HEALTH_PORT: "0",
    };
    const running = await startProgram(name, env);
    expect(await running.exited).toBe(1);
    expect(running.stdout.text() + running.stderr.text()).toContain(sshd.fingerprint());
    expect(sshd.log()).not.toMatch(/Accepted/);
  });
});
