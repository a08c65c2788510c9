/** The answers to the visitors of this tab: a page, shared files, and a guest book. @module */

/**
 * The content of the visitors' page. The tab changes it at run time.
 * @typedef {{ words: string, readonly files: Map<string, File>, readonly guests: { from: string, text: string }[] }}
 * Content
 */

const maxGuestBytes = 1000;
/** The visitors' page runs no script and loads nothing from other origins. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const style = `
  :root { color-scheme: light dark }
  body { max-width: 38rem; margin: 12vh auto 2rem; padding: 0 1.25rem; font: 17px/1.55 system-ui, sans-serif }
  blockquote { margin: 0 0 1.5rem; font-size: 1.5rem; line-height: 1.35; white-space: pre-wrap }
  input { font: inherit; padding: .4rem .6rem; width: 60% } button { font: inherit; padding: .4rem .9rem }
  small { color: gray }`;

/**
 * @param {Content} content
 * @param {() => void} changed called when a visitor has added an entry
 * @returns {(request: Request, info: { origin: { host: string, port: number } }) => Promise<Response>}
 */
export function answerWith(content, changed) {
  return async (request, { origin }) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/guests" && request.method === "POST") {
      if (Number(request.headers.get("content-length")) > maxGuestBytes) return plain(413, "That is too long.");
      const text = (await limitedText(request)).trim();
      if (text !== "") content.guests.push({ from: origin.host, text });
      changed();
      return new Response(null, { status: 303, headers: { location: "/" } });
    }
    if (request.method !== "GET" && request.method !== "HEAD")
      return plain(405, "This tab knows GET and HEAD.", { allow: "GET, HEAD" });
    if (pathname === "/") return page(content, origin);
    if (pathname.startsWith("/files/")) {
      const file = content.files.get(decode(pathname.slice("/files/".length)));
      if (file) return download(file);
    }
    return plain(404, "There is nothing here.");
  };
}

/** @param {Content} content @param {{ host: string, port: number }} origin */
function page({ words, files, guests }, origin) {
  const links = [...files].map(([name, { size }]) => {
    return `<li><a href="/files/${encodeURIComponent(name)}">${escapeHtml(name)}</a> <small>${size} bytes</small></li>`;
  });
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>From a browser tab</title><style>${style}</style>
<blockquote>${escapeHtml(words)}</blockquote>
${links.length > 0 ? `<p>Files:</p><ul>${links.join("")}</ul>` : ""}
<form method="post" action="/guests" enctype="text/plain"><input name="text" maxlength="300" placeholder="Write to the tab" required> <button>Send</button></form>
<p><small>You are ${escapeHtml(origin.host)}. ${guests.length} have written so far. No server stands behind this page: a browser tab answered you.</small></p>
</html>`;
  return new Response(html, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "cache-control": "no-store",
    },
  });
}

/** Streams a file from the disk, with backpressure. @param {File} file */
function download(file) {
  return new Response(file.stream(), {
    headers: {
      "content-length": String(file.size),
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`,
      "x-content-type-options": "nosniff",
    },
  });
}

/** Reads at most `maxGuestBytes`, regardless of the content-length. @param {Request} request */
async function limitedText(request) {
  const decoder = new TextDecoder();
  let text = "";
  for (const reader = request.body?.getReader(); reader; ) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    if (text.length > maxGuestBytes) {
      await reader.cancel();
      break;
    }
  }
  // In text/plain, forms put the name of the field before its value.
  return text.slice(0, maxGuestBytes).replace(/^text=/, "");
}

/** @param {number} status @param {string} text @param {Record<string, string>} [headers] */
function plain(status, text, headers = {}) {
  return new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
}

/** @param {string} text */
function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
