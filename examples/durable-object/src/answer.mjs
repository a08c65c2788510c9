/** The answers to visitors. Replace this with your own program. @module */

/**
 * @param {string} name of the tunnel
 * @param {() => Promise<number>} count counts a visit
 * @returns {(request: Request, info: { origin: { host: string } }) => Promise<Response>}
 */
export function answerWith(name, count) {
  return async (request, { origin }) => {
    const { pathname } = new URL(request.url);
    // Streamed, so that the body may have any size.
    if (pathname === "/echo" && request.method === "POST") return new Response(request.body);
    if (pathname !== "/") return new Response("There is nothing here.\n", { status: 404 });
    return Response.json({ tunnel: name, visit: await count(), from: origin.host });
  };
}
