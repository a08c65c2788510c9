/** The protocol explorer in Chromium, by the steps of its readers. The files come from the disk; nothing is loaded. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { run, tempDir } from "./harness/index.ts";
import { program } from "./harness/requirements.ts";

const browserPath = program("chromium");
if (browserPath === undefined)
  process.stderr.write("skipped: the protocol explorer: chromium is not installed: apt-get install chromium\n");
const site = (path: string): string => fileURLToPath(new URL(`../site/${path}`, import.meta.url));
const axe = (): string => readFileSync(createRequire(site("check.mjs")).resolve("axe-core/axe.min.js"), "utf8");
const transcript = readFileSync(new URL("../test-vectors/transcripts/client-password.json", import.meta.url), "utf8");
const [{ source }] = JSON.parse(transcript).testGroups;
const recording = `recorded: login by password (Postern is the client, the server ${source.name} ${source.version})`;
/** A folder for screenshots; none by default. */
const { POSTERN_SCREENSHOTS: screenshots } = process.env;

describe.skipIf(browserPath === undefined)("the protocol explorer", () => {
  const dir = tempDir("postern-explorer");
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    await run(process.execPath, [site("live/build.mjs"), dir.path]);
    browser = await chromium.launch({
      ...(browserPath === undefined ? {} : { executablePath: browserPath }),
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
    });
    page = await openPage();
  });
  afterAll(async () => {
    await browser?.close();
    dir.remove();
  });
  // Another choice ends the connection, and clears the page.
  beforeEach(async () => {
    await choose("Show", recording);
    await choose("Show", "a connection in this tab");
    await choose("Speed", "as fast as possible");
    expect(await rows()).toEqual([]);
  });
  afterEach(() => expect(complaints.splice(0)).toEqual([]));

  async function openPage(): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, reducedMotion: "reduce" });
    await context.route("**/*", async (route) => {
      const { hostname, pathname } = new URL(route.request().url());
      if (hostname === "localhost")
        return await route.fulfill({ path: dir.file(pathname === "/" ? "index.html" : pathname) });
      complaints.push(`a request to ${hostname}`);
      return await route.abort();
    });
    const opened = await context.newPage();
    opened.on("pageerror", (error) => complaints.push(String(error)));
    opened.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await opened.goto("http://localhost/");
    return opened;
  }

  const press = (name: string): Promise<void> => page.getByRole("button", { name, exact: true }).click();
  const textOf = async (found: Locator): Promise<string> => (await found.textContent()) ?? "";
  const status = (): Promise<string> => textOf(page.getByRole("status"));
  const choose = (label: string, option: string): Promise<string[]> =>
    page.getByLabel(label, { exact: true }).selectOption({ label: option });
  /** The messages of the table, in order, with their states. */
  const rows = async (): Promise<{ readonly message: string; readonly state: string; readonly from: string }[]> =>
    await page.locator(".packets tbody tr").evaluateAll((found) =>
      found.map((row) => {
        const cells = [...row.children].map((cell) => (cell.textContent ?? "").trim());
        return { from: cells[1] ?? "", message: cells[2] ?? "", state: cells[3] ?? "" };
      }),
    );
  const delivered = async (): Promise<number> => (await rows()).filter(({ state }) => state === "delivered").length;
  const stepTo = async (message: string): Promise<void> => {
    for (let steps = 0; steps < 60; steps++) {
      const next = (await rows()).find(({ state }) => state === "in flight");
      if (next?.message.startsWith(message)) return;
      const before = await delivered();
      await press("Step");
      await expect.poll(delivered).toBeGreaterThan(before);
    }
    throw new Error(`expected ${message} within 60 steps`);
  };

  it("shows a connection from KEXINIT to the response of an HTTP request, and each packet in detail", async () => {
    await press("Start");
    await expect.poll(status, { timeout: 30_000 }).toBe("The visitor got its response.");
    const messages = (await rows()).map(({ message }) => message);
    const expected = [
      "identification",
      "KEXINIT",
      "KEX_ECDH_INIT",
      "KEX_ECDH_REPLY",
      "NEWKEYS",
      "SERVICE_REQUEST",
      "USERAUTH_REQUEST password",
      "USERAUTH_SUCCESS",
      "GLOBAL_REQUEST tcpip-forward",
      "REQUEST_SUCCESS tcpip-forward",
      "CHANNEL_OPEN forwarded-tcpip",
      "CHANNEL_OPEN_CONFIRMATION",
      "CHANNEL_DATA",
      "CHANNEL_EOF",
      "CHANNEL_CLOSE",
    ];
    let at = -1;
    for (const name of expected) {
      const next = messages.findIndex((message, index) => index > at && message.startsWith(name));
      expect(next, `${name} after ${at} in ${messages.join(", ")}`).toBeGreaterThan(at);
      at = next;
    }
    await page.getByText("Response to the visitor").click();
    expect(await textOf(page.locator(".more pre"))).toMatch(/^HTTP\/1\.1 200 [\s\S]*You asked for \/greeting/);

    await page.locator(".packets tr", { hasText: "USERAUTH_REQUEST" }).getByRole("button").click();
    const details = page.locator(".details");
    expect(await textOf(details.locator("h2"))).toMatch(/^\d+: USERAUTH_REQUEST$/);
    const text = await textOf(details);
    for (const part of ["correct horse battery staple", "secret", "chacha20-poly1305@openssh.com", "client to server"])
      expect(text).toContain(part);
    expect(await details.getByRole("link", { name: "RFC 4252, 5" }).getAttribute("href")).toBe(
      "https://www.rfc-editor.org/rfc/rfc4252#section-5",
    );
    // The password is in the message, and not in the bytes on the wire.
    const dump = (name: string): Promise<string> => textOf(details.getByRole("region", { name }));
    expect(await dump("Message in plain text")).toContain("ect horse batter");
    expect(await dump("Bytes on the wire")).not.toMatch(/horse|batter/);
    // The arrow keys move to the packet above.
    await page.keyboard.press("ArrowUp");
    expect(await textOf(details.locator("h2"))).not.toContain("USERAUTH_REQUEST");
  });

  it("steps, pauses and continues", async () => {
    await press("Step");
    await expect.poll(status).toMatch(/^1: identification line from the (client|server) was delivered\.$/);
    expect(await delivered()).toBe(1);
    await press("Step");
    await expect.poll(delivered).toBe(2);
    await choose("Speed", "10 packets per second");
    await press("Continue");
    await expect.poll(delivered, { timeout: 20_000 }).toBeGreaterThan(6);
    await press("Pause");
    const held = await delivered();
    await page.waitForTimeout(400);
    expect(await delivered()).toBe(held);
    await choose("Speed", "as fast as possible");
    await press("Continue");
    await expect.poll(status, { timeout: 30_000 }).toBe("The visitor got its response.");
  });

  it("starts one connection if it is started again while it loads, and restores the clock", async () => {
    const hasOwnClock = (): Promise<boolean> => page.evaluate(() => Object.hasOwn(performance, "now"));
    expect(await hasOwnClock()).toBe(false);
    await page.getByRole("button", { name: "Start", exact: true }).evaluate((button: { click(): void }) => {
      button.click();
      button.click();
    });
    await expect.poll(status, { timeout: 30_000 }).toBe("The visitor got its response.");
    expect((await rows()).filter(({ message }) => message.startsWith("identification"))).toHaveLength(2);
    expect(await hasOwnClock()).toBe(true);
    await choose("Show", recording);
    expect(await hasOwnClock()).toBe(false);
  });

  it.each<[string, string, RegExp]>([
    ["an identification line", "identification", /^The (client|server): version /],
    ["KEXINIT", "KEXINIT", /^The client: kex .*signature/],
    ["an encrypted packet", "USERAUTH_REQUEST", /^The server: mac /],
  ])("shows how %s with a broken byte is refused", async (_what, message, refusal) => {
    if (message !== "identification") {
      await press("Step");
      await stepTo(message);
    }
    await press("Break a byte");
    await expect.poll(async () => (await rows()).filter(({ state }) => state === "broken").length).toBe(1);
    expect(await page.locator(".details mark").count()).toBe(1);
    await press("Continue");
    const refusals = (): Promise<string[]> => page.locator(".refusals li").allTextContents();
    await expect.poll(refusals, { timeout: 20_000 }).toHaveLength(2);
    expect((await refusals()).some((text) => refusal.test(text))).toBe(true);
    // A new connection begins without them.
    await press("Start");
    await expect.poll(status, { timeout: 30_000 }).toBe("The visitor got its response.");
    expect(await refusals()).toEqual([]);
  });

  it("exchanges new keys, and sends another request with them", async () => {
    await press("Start");
    await expect.poll(status, { timeout: 30_000 }).toBe("The visitor got its response.");
    await page.getByText("Keys in use").click();
    const keys = (): Promise<string> => textOf(page.locator(".keys").first());
    const before = await keys();
    const inits = async (): Promise<number> => (await rows()).filter(({ message }) => message === "NEWKEYS").length;
    expect(await inits()).toBe(2);
    await press("New keys");
    await expect.poll(inits, { timeout: 10_000 }).toBe(4);
    await expect.poll(keys).not.toBe(before);
    const opens = async (): Promise<number> =>
      (await rows()).filter(({ message }) => message.startsWith("CHANNEL_OPEN forwarded-tcpip")).length;
    expect(await opens()).toBe(1);
    await press("Send a request");
    await expect.poll(opens).toBe(2);
    await expect.poll(status, { timeout: 10_000 }).toBe("The visitor got its response.");
  });

  it("steps through a recording to its end, and refuses it with a broken byte", async () => {
    await choose("Show", recording);
    await press("Step");
    await expect.poll(status).toMatch(/^1: identification line from the client/);
    for (let steps = 0; (await status()) !== "The recording has ended."; steps++) {
      expect(steps).toBeLessThan(60);
      await press("Step");
    }
    const messages = (await rows()).map(({ message }) => message);
    expect(messages).toContain("USERAUTH_REQUEST password");
    expect(messages.at(-1)).toBe("DISCONNECT");
    expect((await rows()).every(({ state }) => state === "delivered")).toBe(true);

    await choose("Show", "a connection in this tab");
    await choose("Show", recording);
    while (!(await rows()).some(({ message }) => message === "SERVICE_ACCEPT")) await press("Step");
    await press("Break a byte");
    expect((await rows()).at(-1)).toMatchObject({ from: "← server", state: "broken" });
    expect(await status()).toMatch(/^The client has refused it: mac: /);
    expect(await page.locator(".refusals li").allTextContents()).toEqual([expect.stringMatching(/^The client: mac /)]);
  });

  it("has no violations of axe-core and no overflow, in two widths and two themes", async () => {
    await press("Start");
    await expect.poll(status, { timeout: 30_000 }).toBe("The visitor got its response.");
    if (!(await page.locator(".keys").first().isVisible())) await page.getByText("Keys in use").click();
    await page.locator(".packets tr", { hasText: "USERAUTH_REQUEST" }).getByRole("button").click();
    await press("Break a byte");
    await press("Send a request");
    await expect.poll(() => page.locator(".refusals li").count()).toBe(2);
    await page.evaluate(axe());
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      await page.evaluate(`document.documentElement.className = "${theme}"`);
      for (const width of [375, 1440]) {
        await page.setViewportSize({ width, height: 1000 });
        expect(await page.evaluate("document.documentElement.scrollWidth"), `${theme} ${width}`).toBe(width);
        const found = await page.evaluate<string[]>(
          "axe.run(document).then(({ violations }) => violations.map(({ id, nodes }) => id + ' ' + nodes[0].target))",
        );
        expect(found, `${theme} ${width}`).toEqual([]);
        if (screenshots !== undefined)
          await page.screenshot({ path: `${screenshots}/explorer-${width}-${theme}.png`, fullPage: true });
      }
    }
  });
});
