/** Uses the search of the built site as a reader does. @module */
// cspell:ignore localsearch

/** Words of the field, and pages that must be among the results. */
const searches = [
  { words: "known_hosts", pages: ["host-keys.html"] },
  { words: "GatewayPorts", pages: ["forwarding.html"] },
  { words: "sshd keeps the port", pages: ["troubleshooting.html"] },
];

/** Returns what was done. */
export async function checkSearch(page, url, problems) {
  for (const { words, pages } of searches) {
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto(url, { waitUntil: "load" });
    await page.getByRole("button", { name: "Search" }).click();
    await page.locator("#localsearch-input").fill(words);
    const results = page.locator("#localsearch-list a.result");
    await results.first().waitFor();
    // The list changes until all words have been looked up.
    await page
      .waitForFunction(
        (name) => [...document.querySelectorAll("#localsearch-list a.result")].some((link) => link.href.includes(name)),
        pages[0],
        { timeout: 20_000 },
      )
      .catch(() => undefined);
    const found = await results.evaluateAll((links) => links.map(({ href }) => href));
    for (const name of pages.filter((one) => !found.some((href) => href.includes(one))))
      problems.push(`search for "${words}": expected ${name}, got ${found.join(", ")}`);
    await results.first().click();
    await page.waitForFunction(() => document.querySelector("#localsearch-input") === null);
    const text = await page.locator("main").textContent();
    const [first] = words.split(" ");
    if (!text.toLowerCase().includes(first.toLowerCase()))
      problems.push(`search for "${words}": expected a page with ${first}, got ${page.url()}`);
  }
  return `${searches.length} searches`;
}
