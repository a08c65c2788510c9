/** The webhook receiver: signatures, and a restart of the server. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Running, type Sshd, startSshd, userKey } from "../harness/index.ts";
import { npmStart, type Settings, settingsFor, signalProgram } from "./example.ts";

/** The example of GitHub's documentation, "Validating webhook deliveries". */
const secret = "It's a Secret to Everybody";
const payload = "Hello, World!";
const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

describe.skipIf(missing("sshd"))("examples/webhook", () => {
  let sshd: Sshd;
  let settings: Settings;
  let running: Running;
  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    settings = await settingsFor(sshd);
    running = await npmStart("webhook", { ...settings.env, WEBHOOK_SECRET: secret });
    await running.stdout.waitFor(/ready: /, 30_000);
  });
  afterAll(async () => {
    await running?.stop();
    await sshd?.stop();
  });

  async function deliver(body: string, headers: Record<string, string>): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${settings.port}/`, { method: "POST", headers, body });
    await response.text();
    return response.status;
  }

  it("prints its public URL", () => {
    expect(running.stdout.text()).toContain(`ready: http://127.0.0.1:${settings.port}/\n`);
  });

  it("accepts the signed delivery of GitHub's documentation, and prints it", async () => {
    expect(await deliver(payload, { "x-hub-signature-256": signature, "x-github-event": "ping" })).toBe(204);
    await running.stdout.waitFor(/"event": "ping",\n {2}"body": "Hello, World!"/);
  });

  it("prints a JSON body as a value", async () => {
    const body = '{"ref":"refs/heads/main","title":"\u009b2J"}';
    const signed = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
    expect(await deliver(body, { "x-hub-signature-256": signed, "x-github-event": "push" })).toBe(204);
    await running.stdout.waitFor(
      /"event": "push",\n {2}"body": \{\n {4}"ref": "refs\/heads\/main",\n {4}"title": "\ufffd2J"\n/,
    );
  });

  it.each([
    ["no signature", {}],
    ["the signature of another body", { "x-hub-signature-256": signature }],
    ["a signature that is too short", { "x-hub-signature-256": "sha256=00" }],
    ["a signature by another hash", { "x-hub-signature-256": signature.replace("256", "512") }],
  ])("refuses a delivery with %s, and prints nothing of it", async (_name, headers) => {
    expect(await deliver("forged delivery", headers)).toBe(401);
    await running.stdout.waitFor(/refused a delivery/);
    expect(running.stdout.text()).not.toContain("forged");
  });

  it("answers a browser with 405", async () => {
    const response = await fetch(`http://127.0.0.1:${settings.port}/`);
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  it("receives at the same port after a restart of the server", async () => {
    await sshd.kill();
    await running.stdout.waitFor(/reconnecting in \d+ s: /);
    await sshd.restart();
    await running.stdout.waitFor(/ready: (\S+)\n.*ready: \1\n/s, 30_000);
    expect(await deliver(payload, { "x-hub-signature-256": signature, "x-github-event": "again" })).toBe(204);
    await running.stdout.waitFor(/"event": "again"/);
  });

  it("exits with 0 at SIGINT", async () => {
    signalProgram(running, "SIGINT");
    expect(await running.exited).toBe(0);
  });
});
