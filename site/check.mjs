/**
 * `npm run docs:check`, after the site was built: checks every link and anchor of the pages, and opens each page in
 * Chromium, in two widths and two themes. The protocol explorer is started first. No page may scroll sideways, violate
 * a rule of axe-core, or load from another server.
 * `--screenshots <folder>` keeps pictures of the pages; other arguments are paths of the pages to open.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { checkHtml } from "./lib/html.mjs";
import { serveFolder } from "./lib/server.mjs";

const widths = [375, 1440];
const themes = ["light", "dark"];
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
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
let opened = 0;
let rules = 0;
if (executablePath === undefined)
  console.log("skipped: pages in Chromium: it is not installed: apt-get install chromium");
else await openPages(positionals.length > 0 ? positionals : html);

for (const problem of problems) console.error(problem);
console.log(
  `docs:check: ${html.length} pages, ${links} links, ${resources} resources; ${opened} views in Chromium, ` +
    `${rules} rules of axe-core passed in them; ${problems.length} problems`,
);
process.exitCode = problems.length > 0 ? 1 : 0;

async function openPages(names) {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const { server, url } = await serveFolder(dist);
  const browser = await chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"],
  });
  try {
    for (const theme of themes) {
      const context = await browser.newContext({ colorScheme: theme, reducedMotion: "reduce" });
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(`${page.url()}: ${error}`));
      page.on("request", (request) => {
        const target = new URL(request.url());
        if (target.origin !== url && !["data:", "blob:"].includes(target.protocol))
          problems.push(`${page.url()}: expected no request to another server, got ${target}`);
      });
      for (const name of names) {
        await page.setViewportSize({ width: widths[0], height: 900 });
        await page.goto(`${url}/${name}`, { waitUntil: "load" });
        await page.evaluate(axe);
        await programs[name]?.(page);
        for (const width of widths) await look(page, name, theme, width);
      }
      await context.close();
    }
  } finally {
    await browser.close();
    server.close();
    server.closeAllConnections();
  }
}

async function look(page, name, theme, width) {
  const at = `${name} (${width} px, ${theme})`;
  await page.setViewportSize({ width, height: 900 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) problems.push(`${at}: expected no horizontal scrolling, got ${wide} px`);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  opened++;
  rules += passes.length;
  for (const { id, nodes } of violations) {
    const [{ target, failureSummary }] = nodes;
    problems.push(`${at}: ${id} (${nodes.length}): ${target.join(" ")}: ${failureSummary.replaceAll(/\s+/g, " ")}`);
  }
  if (values.screenshots === undefined) return;
  mkdirSync(values.screenshots, { recursive: true });
  await page.screenshot({ path: join(values.screenshots, `${name.replaceAll(/\W/g, "_")}-${width}-${theme}.png`) });
}
