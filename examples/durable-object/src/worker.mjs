/**
 * A worker in front of a fleet of tunnels, one Durable Object each. Whoever knows `TOKEN` opens and closes them:
 *
 * - `PUT /tunnels/NAME` with settings in JSON opens a tunnel, or changes it
 * - `GET /tunnels/NAME` tells how it is
 * - `DELETE /tunnels/NAME` closes it and forgets it
 *
 * Bindings: `TUNNELS`, the namespace of the objects; `TOKEN`; `PRIVATE_KEY`, the key they log in with; `ALARM_MS`, default 30000.
 * @module
 */
export { Tunnel } from "./tunnel.mjs";

export default {
  /** @param {Request} request */
  async fetch(request, env) {
    const [, name] = /^\/tunnels\/([\w.-]{1,64})$/.exec(new URL(request.url).pathname) ?? [];
    if (name === undefined) return new Response("PUT, GET or DELETE /tunnels/NAME\n", { status: 404 });
    if (!(await sameText(request.headers.get("authorization") ?? "", `Bearer ${env.TOKEN}`))) {
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } });
    }
    // The same name leads to the same object, wherever in the world it lives.
    const object = env.TUNNELS.get(env.TUNNELS.idFromName(name));
    return await object.fetch(`http://tunnel/${name}`, { method: request.method, body: request.body });
  },
};

/** By hashes, so that the time it takes tells nothing of the token. */
async function sameText(one, other) {
  const [a, b] = await Promise.all(
    [one, other].map(
      async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    ),
  );
  return a.every((byte, index) => byte === b[index]);
}
