/**
 * A worker in front of a fleet of tunnels, one Durable Object each. Requests need the `TOKEN`:
 *
 * - `PUT /tunnels/NAME` with settings in JSON opens a tunnel, or changes it
 * - `GET /tunnels/NAME` returns its state
 * - `DELETE /tunnels/NAME` closes it and deletes its settings
 *
 * Bindings: `TUNNELS`, the namespace of the objects; `TOKEN`; `PRIVATE_KEY`, the key of the tunnels; `ALARM_MS`,
 * default 30000.
 * @module
 */
export { Tunnel } from "./tunnel.mjs";

export default {
  /** @param {Request} request */
  async fetch(request, env) {
    const [, name] = /^\/tunnels\/([\w.-]{1,64})$/.exec(new URL(request.url).pathname) ?? [];
    if (name === undefined) return new Response("PUT, GET or DELETE /tunnels/NAME\n", { status: 404 });
    // Without this, `Bearer undefined` would be accepted.
    if (!env.TOKEN) return new Response("expected a secret TOKEN, got none\n", { status: 500 });
    if (!(await sameText(request.headers.get("authorization") ?? "", `Bearer ${env.TOKEN}`))) {
      return new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } });
    }
    // The same name leads to the same object from everywhere.
    const object = env.TUNNELS.get(env.TUNNELS.idFromName(name));
    return await object.fetch(`http://tunnel/${name}`, { method: request.method, body: request.body });
  },
};

/** Compares hashes, so that the time does not reveal the token. */
async function sameText(one, other) {
  const [a, b] = await Promise.all(
    [one, other].map(
      async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    ),
  );
  return a.every((byte, index) => byte === b[index]);
}
