/** A page logs in to sshd with keys of WebCrypto that cannot be exported, in Chromium. */
import { appendFileSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { npmStart } from "./examples/example.ts";
import { missing, type Running, type Sshd, startSshd, tempDir } from "./harness/index.ts";
import { program } from "./harness/requirements.ts";

const browserPath = program("chromium");
const lacks =
  missing("sshd") ?? (browserPath === undefined ? "chromium is not installed: apt-get install chromium" : undefined);
if (browserPath === undefined) process.stderr.write(`skipped: examples/browser-key: ${lacks}\n`);

describe.skipIf(lacks)("examples/browser-key", () => {
  const dir = tempDir("postern-browser-key");
  const keysFile = dir.file("authorized_keys");
  let sshd: Sshd;
  let bridge: Running;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    appendFileSync(keysFile, "");
    sshd = await startSshd({ config: { AuthorizedKeysFile: keysFile } });
    bridge = await npmStart("browser-key", {}, [`127.0.0.1:${sshd.port}`, "--listen", "0"]);
    browser = await chromium.launch({
      ...(browserPath === undefined ? {} : { executablePath: browserPath }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
    });
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await bridge?.stop();
    await sshd?.stop();
    dir.remove();
  });

  const outcome = (): Promise<string | null> => page.locator("#outcome").textContent();
  const line = (): Promise<string | null> => page.locator("#line").textContent();

  async function visit(algorithm: string): Promise<void> {
    const [, url = ""] = await bridge.stdout.waitFor(/(ws:\S+) leads to/);
    const [, file = ""] = await bridge.stdout.waitFor(/^page: (.*)$/m, 20_000);
    await page.goto(`file://${file}`);
    await page.locator("select").selectOption(algorithm);
    const values = { bridge: url, host: "127.0.0.1", user: sshd.user, fingerprint: sshd.fingerprint() };
    for (const [name, value] of Object.entries(values)) await page.locator(`[name="${name}"]`).fill(value);
    await expect.poll(line).toMatch(algorithm === "ECDSA" ? /^ecdsa-sha2-nistp256 / : /^ssh-ed25519 /);
  }

  it.each(["ECDSA", "Ed25519"])(
    "logs in with a key for %s, and with the same key after a reload",
    async (algorithm) => {
      await visit(algorithm);
      await page.locator("#open").click();
      await expect.poll(outcome).toMatch(/expected the server to accept a login method/);
      const shown = await line();
      appendFileSync(keysFile, `${shown}\n`);
      for (let load = 0; load < 2; load++) {
        if (load > 0) await visit(algorithm);
        expect(await line()).toBe(shown);
        await page.locator("#open").click();
        await expect.poll(outcome).toMatch(/^port \d+ of 127\.0\.0\.1 leads here$/);
        const [, port] = /port (\d+)/.exec((await outcome()) ?? "") ?? [];
        expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("signed in a browser\n");
      }
    },
  );
});
