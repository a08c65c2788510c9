/** Prints pages of the built site. @module */

const pages = ["getting-started.html", "options.html", "deploying.html", "coming-from/sshreversetunnel.html"];

/** The width of A4 between the margins, in CSS pixels. */
const paperWidth = 718;

/** Checks that a print has neither navigation nor code that is cut off. Returns what was done. */
export async function checkPrint(page, url, problems) {
  for (const name of pages) {
    await page.setViewportSize({ width: paperWidth, height: 1000 });
    await page.emulateMedia({ media: "print" });
    await page.goto(`${url}/${name}`, { waitUntil: "load" });
    const { shown, cut } = await page.evaluate(() => {
      const isShown = (element) => element.getClientRects().length > 0;
      const around = [".VPNav", ".VPLocalNav", ".VPSidebar", ".VPDocAside", ".VPDocFooter", ".VPFooter", "button.copy"];
      const wide = [...document.querySelectorAll("main pre, main table, main img, main svg")].filter(
        (element) =>
          element.scrollWidth > element.clientWidth + 1 ||
          element.getBoundingClientRect().right > document.documentElement.clientWidth + 1,
      );
      return {
        shown: around.filter((selector) => [...document.querySelectorAll(selector)].some(isShown)),
        cut: wide.map((element) => `${element.tagName}: ${element.textContent.trim().slice(0, 60)}`),
      };
    });
    for (const one of shown) problems.push(`print of ${name}: expected no ${one}`);
    for (const one of cut) problems.push(`print of ${name}: expected it to fit the paper, got ${one}`);
    const pdf = await page.pdf({ format: "A4", margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } });
    if (pdf.length < 10_000) problems.push(`print of ${name}: expected pages, got ${pdf.length} bytes`);
  }
  return `${pages.length} prints`;
}
