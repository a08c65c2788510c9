/**
 * `npm run docs:check`, after the site was built: checks every link and anchor of the pages, and opens each page in
 * Chromium, in two widths and two themes, with the protocol explorer started. No page may scroll sideways, violate a
 * rule of axe-core, print an error, or load from another server. Then it uses the search, and prints pages.
 * `--screenshots <folder>` keeps pictures of the pages; other arguments are paths of the pages to open.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { checkHtml } from "./lib/html.mjs";
import { checkPrint } from "./lib/print.mjs";
import { checkSearch } from "./lib/search.mjs";
import { serveFolder } from "./lib/server.mjs";

const widths = [375, 1440];
const themes = ["light", "dark"];
/** Pages that are open at once. More are not faster with the two processors of a build server. */
const tabs = 2;
/** The time for one page in all views, and for all of them. */
const pageTimeoutMs = 600_000;
const timeoutMs = 30 * 60_000;
/** The rules that depend on the theme. Only these are tried in the second one. */
const colorRules = ["color-contrast", "link-in-text-block"];
/**
 * A huge page of the API reference has the same elements again and again. All rules are tried in the last width; in the
 * others, only those that depend on the width or the theme, on its first sections.
 */
const hugeElements = 4_000;
const widthRules = ["scrollable-region-focusable", "nested-interactive", "aria-hidden-focus", ...colorRules];
const hugePart = { exclude: [[".vp-doc > div > :nth-child(n + 300)"]] };
/** Starts the program of a page, so that what it shows is checked, too. */
const programs = {
  "protocol-explorer.html": async (page) => {
    await page.locator(".explorer .controls button").first().click();
    await page.getByText("The visitor got its response.").waitFor();
  },
};

const { values, positionals } = parseArgs({ options: { screenshots: { type: "string" } }, allowPositionals: true });
const dist = fileURLToPath(new URL("dist", import.meta.url));
const html = readdirSync(dist, { recursive: true })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".html"));
if (html.length === 0) throw new Error("expected a built site, got none: npm run docs");

const { problems, links, resources } = checkHtml(dist, html);
const executablePath = ["chromium", "chromium-browser", "google-chrome"]
  .map((name) => `/usr/bin/${name}`)
  .find(existsSync);
const opened = { pages: 0, views: 0, rules: 0 };
const uses = [];
const slow = [];
if (executablePath === undefined) {
  const reason = "pages in Chromium: it is not installed: apt-get install chromium";
  if (process.env.CI === undefined) console.log(`skipped: ${reason}`);
  else problems.push(reason);
} else await openPages(positionals.length > 0 ? positionals : html);

for (const problem of problems) console.error(problem);
console.log(
  `docs:check: ${html.length} pages, ${links} links, ${resources} resources; in Chromium ${opened.pages} pages in ` +
    `${opened.views} views, ${opened.rules} rules of axe-core passed${uses.map((use) => `, ${use}`).join("")}; ` +
    `${problems.length} problems; slowest: ${slow
      .sort(([one], [other]) => other - one)
      .slice(0, 3)
      .map(([seconds, name]) => `${name} ${seconds} s`)
      .join(", ")}`,
);
process.exitCode = problems.length > 0 ? 1 : 0;

async function openPages(names) {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const { server, url } = await serveFolder(dist);
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
  // The largest page takes longest.
  const waiting = names.toSorted((one, other) => sizeOf(other) - sizeOf(one));
  const timer = setTimeout(() => {
    problems.push(`expected the check to end within ${timeoutMs / 60_000} minutes`);
    waiting.length = 0;
    void browser.close();
  }, timeoutMs);
  try {
    await Promise.all(Array.from({ length: tabs }, openNext));
    if (positionals.length === 0) {
      uses.push(await withPage((page) => checkSearch(page, url, problems)));
      uses.push(await withPage((page) => checkPrint(page, url, problems)));
    }
  } catch (error) {
    problems.push(firstLine(error));
  } finally {
    clearTimeout(timer);
    await browser.close();
    server.close();
    server.closeAllConnections();
  }

  async function openNext() {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const isDone = await withPage((page) => open(page, name)).catch((error) =>
        problems.push(`${name}: ${firstLine(error)}`),
      );
      if (isDone === true) opened.pages++;
    }
  }

  /** Calls a function with a new page, which reports errors and requests to other servers. */
  async function withPage(use) {
    const context = await browser.newContext({ reducedMotion: "reduce" });
    const page = await context.newPage();
    page.setDefaultTimeout(pageTimeoutMs);
    page.on("pageerror", (error) => problems.push(`${page.url()}: ${error}`));
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(`${page.url()}: ${message.text()}`);
    });
    page.on("request", (request) => {
      const target = new URL(request.url());
      if (target.origin !== url && !["data:", "blob:"].includes(target.protocol))
        problems.push(`${page.url()}: expected no request to another server, got ${target}`);
    });
    const timer = setTimeout(() => void context.close(), pageTimeoutMs);
    try {
      return await use(page);
    } finally {
      clearTimeout(timer);
      await context.close();
    }
  }

  async function open(page, name) {
    const start = performance.now();
    await page.goto(`${url}/${name}`, { waitUntil: "load" });
    await page.evaluate(axe);
    await programs[name]?.(page);
    for (const theme of themes) {
      await page.emulateMedia({ colorScheme: theme });
      await page.waitForFunction(
        (dark) => document.documentElement.classList.contains("dark") === dark,
        theme === "dark",
      );
      for (const width of widths) await look(page, name, theme, width);
    }
    slow.push([Math.round((performance.now() - start) / 1000), name]);
    return true;
  }
}

/** The lines after the first one are the log of Chromium. */
function firstLine(error) {
  return String(error).split("\n")[0];
}

function sizeOf(name) {
  return statSync(join(dist, name)).size;
}

async function look(page, name, theme, width) {
  const at = `${name} (${width} px, ${theme})`;
  await page.setViewportSize({ width, height: 900 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`${at}: expected no horizontal scrolling, got ${wide} px`);
  const isHuge = await page.evaluate((limit) => document.querySelectorAll("*").length > limit, hugeElements);
  const isFirst = theme === themes[0];
  const isAll = isFirst && (width === widths.at(-1) || !isHuge);
  const rules = isFirst ? widthRules : colorRules;
  const { violations, passes } = await page.evaluate(
    ([context, options]) => window.axe.run(context ?? document, { resultTypes: ["violations"], ...options }),
    [isHuge && !isAll ? hugePart : undefined, isAll ? {} : { runOnly: { type: "rule", values: rules } }],
  );
  opened.views++;
  opened.rules += passes.length;
  for (const { id, nodes } of violations) {
    const [{ target, failureSummary }] = nodes;
    problems.push(`${at}: ${id} (${nodes.length}): ${target.join(" ")}: ${failureSummary.replaceAll(/\s+/g, " ")}`);
  }
  if (values.screenshots === undefined) return;
  mkdirSync(values.screenshots, { recursive: true });
  await page.screenshot({ path: join(values.screenshots, `${name.replaceAll(/\W/g, "_")}-${width}-${theme}.png`) });
}
