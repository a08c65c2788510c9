/** `examples/kms-signer`: logs in to sshd with a key that only a key service has. */
import { appendFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Signer } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  httpTarget,
  lacks,
  missing,
  type Running,
  type Sshd,
  startSshd,
  type Target,
  tempDir,
} from "../harness/index.ts";
import { forwardedPort, npmStart, pathOf, printedAsInReadme, settingsForAnyPort } from "./example.ts";
import { type KmsStandIn, startKmsStandIn } from "./kms-stand-in.ts";

interface SignerModule {
  createKmsSigner(options: {
    readonly key: string;
    readonly token: () => Promise<string>;
    readonly endpoint: string;
    readonly timeoutMs?: number;
  }): Promise<Signer>;
  pairFromDer(der: Uint8Array): Uint8Array;
}

const noOpenssl = lacks("openssl", "openssl");
if (noOpenssl !== undefined) process.stderr.write(`skipped: examples/kms-signer: ${noOpenssl}\n`);

describe.skipIf(missing("sshd") ?? noOpenssl)("examples/kms-signer", () => {
  const dir = tempDir("postern-kms-signer");
  const examples: Running[] = [];
  let kms: KmsStandIn;
  let sshd: Sshd;
  let web: Target;
  let settings: Record<string, string>;
  let signer: SignerModule;

  beforeAll(async () => {
    signer = (await import(pathToFileURL(`${pathOf("kms-signer")}/signer.mjs`).href)) as SignerModule;
    kms = await startKmsStandIn();
    web = await httpTarget("signed by a key service\n");
    writeFileSync(dir.file("authorized_keys"), "");
    sshd = await startSshd({ config: { AuthorizedKeysFile: dir.file("authorized_keys") } });
    const { POSTERN_KEY: _, ...tunnel } = await settingsForAnyPort(sshd);
    settings = {
      ...tunnel,
      POSTERN_TARGET_PORT: String(web.port),
      POSTERN_KMS_KEY: kms.key,
      POSTERN_KMS_TOKEN: kms.token,
      POSTERN_KMS_ENDPOINT: kms.endpoint,
    };
  });
  afterAll(async () => {
    for (const example of examples) await example.stop();
    await web?.stop();
    await sshd?.stop();
    await kms?.stop();
    dir.remove();
  });

  async function start(more: Readonly<Record<string, string>> = {}): Promise<Running> {
    const example = await npmStart("kms-signer", { ...settings, ...more });
    examples.push(example);
    return example;
  }
  const open = (timeoutMs?: number): Promise<Signer> =>
    signer.createKmsSigner({
      key: kms.key,
      token: async () => kms.token,
      endpoint: kms.endpoint,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });

  it("prints the line for authorized_keys, and is refused without it", async () => {
    const example = await start();
    expect(await example.exited).toBe(1);
    expect(example.stderr.text()).toMatch(/expected the server to accept a login method/);
    const [, line] = await example.stdout.waitFor(/^authorized_keys: (ecdsa-sha2-nistp256 .*)$/m);
    appendFileSync(dir.file("authorized_keys"), `${line}\n`);
  });

  it("logs in, and carries visitors", async () => {
    const example = await start();
    const port = await forwardedPort(example);
    expect(printedAsInReadme(example, "kms-signer"), example.stdout.text()).toBe(true);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("signed by a key service\n");
    expect(kms.requests.length).toBeGreaterThan(0);
    for (const { digest } of kms.requests) expect(Buffer.from(digest.sha256, "base64")).toHaveLength(32);
  });

  it("reconnects after an outage of the key service", async () => {
    const example = examples.at(-1) as Running;
    kms.behaviour = "denies";
    sshd.dropConnections();
    await example.stdout.waitFor(/tunnel: waiting.*\n(.*\n)*tunnel: waiting .*403/, 30_000);
    kms.behaviour = "signs";
    await example.stdout.waitFor(/403[\s\S]*tunnel: open/, 30_000);
  });

  it("reports an answer that is an error", async () => {
    const token = await start({ POSTERN_KMS_TOKEN: "expired" });
    expect(await token.exited).toBe(1);
    expect(token.stderr.text()).toContain("the key service answered 401: invalid authentication credentials");
    kms.behaviour = "denies";
    const denied = await start();
    expect(await denied.exited).toBe(1);
    expect(denied.stderr.text()).toContain("the key service answered 403: no useToSign on projects/p");
  });

  it("gives up a request that takes too long", async () => {
    kms.behaviour = "hangs";
    const { sign } = await open(100);
    await expect(sign(new Uint8Array(100), "ecdsa-sha2-nistp256")).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("rejects a signature of other data", async () => {
    kms.behaviour = "signs other data";
    const { sign } = await open();
    await expect(sign(new Uint8Array(100), "ecdsa-sha2-nistp256")).rejects.toThrow(/expected a valid signature/);
  });

  it("converts DER to r and s of 32 bytes each (RFC 3279 section 2.2.3)", () => {
    const high = `02210080${"11".repeat(31)}`;
    const short = `021f${"22".repeat(31)}`;
    const one = "020101";
    const pair = (der: string): string => Buffer.from(signer.pairFromDer(Buffer.from(der, "hex"))).toString("hex");
    expect(pair(`3044${high}${short}`)).toBe(`80${"11".repeat(31)}00${"22".repeat(31)}`);
    expect(pair(`3024${short}${one}`)).toBe(`00${"22".repeat(31)}${"00".repeat(31)}01`);
    for (const wrong of [
      "",
      "30",
      "3000",
      `3006${one}${one}00`,
      `3007${one}${one}00`,
      `3046022101${"11".repeat(32)}`,
    ]) {
      expect(() => pair(wrong), wrong).toThrow(/expected a DER signature/);
    }
  });
});
