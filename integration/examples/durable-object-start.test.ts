/** `npm start` of `examples/durable-object`. Its tunnels are tested in `integration/durable-object.test.ts`. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Running, type Sshd, startSshd, tempDir, userKey } from "../harness/index.ts";
import { npmStart } from "./example.ts";

describe.skipIf(missing("sshd"))("npm start of examples/durable-object", () => {
  const dir = tempDir("postern-durable-start");
  const started: Running[] = [];
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
  });
  afterAll(async () => {
    for (const one of started) await one.stop();
    await sshd?.stop();
    dir.remove();
  });

  async function start(env: Readonly<Record<string, string>>): Promise<string> {
    const args = ["--socket-addr=http=127.0.0.1:0", `--directory-path=storage=${dir.path}`, "--control-fd=1"];
    const example = await npmStart("durable-object", env, args);
    started.push(example);
    const [, port] = await example.stdout.waitFor(/"socket":"http","port":(\d+)/, 30_000);
    return `http://127.0.0.1:${port}/tunnels/one`;
  }

  it("starts the worker, which dials only public addresses", async () => {
    const url = await start({ TOKEN: "secret", PRIVATE_KEY: (await userKey()).privateText });
    expect((await fetch(url)).status).toBe(401);
    const body = JSON.stringify({
      host: "127.0.0.1",
      hostPort: sshd.port,
      user: sshd.user,
      hostKey: sshd.fingerprint(),
    });
    const response = await fetch(url, { method: "PUT", headers: { authorization: "Bearer secret" }, body });
    expect(response.status).toBe(202);
    expect(JSON.stringify(await response.json())).toContain("expected a connection");
  });

  it("answers 500 without a TOKEN", async () => {
    const url = await start({});
    for (const token of ["", "undefined", "null"]) {
      const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
      expect(response.status).toBe(500);
      expect(await response.text()).toMatch(/expected a secret TOKEN/);
    }
  });
});
