/** Serves the built site on loopback. @module */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const types = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/** Resolves with the server and its URL, once it listens. */
export async function serveFolder(folder, port = 0) {
  const server = createServer((request, response) => {
    const file = find(folder, decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    if (file === undefined) {
      response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
      return;
    }
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

/** Returns the file of a path: itself, with `.html`, or the index of the folder. */
export function find(folder, path) {
  const name = normalize(join(folder, path));
  if (name !== folder && !name.startsWith(folder + sep)) return undefined;
  return [name, `${name}.html`, join(name, "index.html")].find((one) =>
    statSync(one, { throwIfNoEntry: false })?.isFile(),
  );
}
