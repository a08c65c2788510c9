/** The page that is a web server, in Chromium, opened from the disk. Visitors come through a real server. */
import { createHash } from "node:crypto";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { npmStart } from "./examples/example.ts";
import {
  missing,
  patternChunks,
  patternHash,
  type Running,
  type Sshd,
  startSshd,
  tempDir,
  userKey,
} from "./harness/index.ts";
import { program } from "./harness/requirements.ts";

const browserPath = program("chromium");
const lacks =
  missing("sshd") ?? (browserPath === undefined ? "chromium is not installed: apt-get install chromium" : undefined);
if (browserPath === undefined) process.stderr.write(`skipped: examples/browser: ${lacks}\n`);
/** Where the screenshot goes; a temporary file by default. */
const screenshot = process.env.POSTERN_SCREENSHOT;

describe.skipIf(lacks)("examples/browser", () => {
  const dir = tempDir("postern-browser");
  let sshd: Sshd;
  let bridge: Running;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    sshd = await startSshd({ authorizedKeys: [(await userKey()).publicLine] });
    bridge = await npmStart("browser", {}, [`127.0.0.1:${sshd.port}`, "--listen", "0"]);
    const [, file = ""] = await bridge.stdout.waitFor(/^page: (.*)$/m, 20_000);
    browser = await chromium.launch({
      ...(browserPath === undefined ? {} : { executablePath: browserPath }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
    });
    page = await browser.newPage({ viewport: { width: 1180, height: 900 } });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await page.goto(`file://${file}`);
  });
  afterAll(async () => {
    await browser?.close();
    await bridge?.stop();
    await sshd?.stop();
    dir.remove();
  });

  const state = (): Promise<string | null> => page.locator("#state").textContent();

  async function fill(values: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(values)) await page.locator(`[name="${name}"]`).fill(value);
  }

  it("rejects a server with another host key", async () => {
    const [, url = ""] = await bridge.stdout.waitFor(/(ws:\S+) leads to/);
    await fill({
      bridge: url,
      host: "127.0.0.1",
      user: sshd.user,
      fingerprint: `SHA256:${"A".repeat(43)}`,
      key: (await userKey()).privateText,
    });
    await page.locator("#open").click();
    await expect.poll(state).toBe("failed");
    expect(await page.locator("#problem").textContent()).toMatch(/key/);
    await expect.poll(() => bridge.stderr.text()).toMatch(/closed with/);
  });

  it("opens the tunnel and answers visitors from the tab", async () => {
    await fill({ fingerprint: sshd.fingerprint() });
    await page.locator("#words").fill("Out of <a> tab & into the world");
    await page.locator("#open").click();
    await expect.poll(state).toBe("open");
    const url = await address();
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await response.text();
    expect(html).toContain("Out of &#60;a&#62; tab &#38; into the world");
    expect(html).toContain("You are 127.0.0.1.");
    expect(await page.locator("#log tr").first().textContent()).toContain("127.0.0.1GET /200");
    const missingPage = await fetch(`${url}nothing`);
    expect(missingPage.status).toBe(404);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(405);
  });

  it("streams a shared file, and shows the bytes", async () => {
    const size = 8 * 1024 * 1024;
    await page.locator("#files").setInputFiles({
      name: "large & odd.bin",
      mimeType: "application/octet-stream",
      buffer: Buffer.concat([...patternChunks(size, 4)]),
    });
    const url = await address();
    const link = /href="(\/files\/[^"]+)"/.exec(await (await fetch(url)).text())?.[1] ?? "";
    const responses = await Promise.all(Array.from({ length: 3 }, () => fetch(new URL(link, url))));
    for (const response of responses) {
      expect(response.headers.get("content-length")).toBe(String(size));
      const hash = createHash("sha256").update(new Uint8Array(await response.arrayBuffer()));
      expect(hash.digest("hex")).toBe(patternHash(size, 4));
    }
    await expect.poll(() => page.locator("#sent").textContent()).toMatch(/^2\d\.\d MB$/);
    expect(Number(await page.locator("#visitors").textContent())).toBeGreaterThan(2);
  });

  it("accepts entries of the guest book, and shows them as text", async () => {
    const url = await address();
    const text = "<img src=x onerror=alert(1)> was here";
    const response = await fetch(`${url}guests`, { method: "POST", body: `text=${text}`, redirect: "manual" });
    expect(response.status).toBe(303);
    await expect.poll(() => page.locator("#guests li").last().textContent()).toBe(`127.0.0.1: ${text}`);
    const tooLong = await fetch(`${url}guests`, { method: "POST", body: "x".repeat(5000) });
    expect(tooLong.status).toBe(413);
  });

  it("reconnects after a lost connection", async () => {
    const url = await address();
    sshd.dropConnections();
    await expect.poll(state).not.toBe("open");
    await expect.poll(state, { timeout: 20_000 }).toBe("open");
    await expect.poll(() => page.locator("#url").getAttribute("href"), { timeout: 10_000 }).toBe(url);
    expect((await fetch(url)).status).toBe(200);
  });

  it("renders without overflow", async () => {
    const path = screenshot ?? dir.file("page.png");
    await page.screenshot({ path, fullPage: true });
    expect(complaints).toEqual([]);
    // On a wide screen and on a narrow one.
    for (const width of [1180, 400]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
    }
    if (screenshot !== undefined)
      await page.screenshot({ path: screenshot.replace(".png", "-narrow.png"), fullPage: true });
  });

  it("closes the tunnel", async () => {
    const url = await address();
    await page.locator("#close").click();
    await expect.poll(state).toBe("closed");
    await expect(fetch(url)).rejects.toThrow();
    expect(await page.locator("#url").textContent()).toBe("not open");
  });

  async function address(): Promise<string> {
    const href = (): Promise<string | null> => page.locator("#url").getAttribute("href");
    await expect.poll(href).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    return (await href()) ?? "";
  }
});
