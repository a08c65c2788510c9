/** Answers visitors of an SSH server with a handler, as Deno.serve does for a local port. @module */
import { fingerprint, pipeFromStreams, privateKey, ReverseTunnel, serve } from "@postern/web";

const host = setting("POSTERN_HOST");
const tunnel = new ReverseTunnel({
  dial: async ({ host: hostname, port }) => pipeFromStreams(await Deno.connect({ hostname, port })),
  host,
  port: Number(setting("POSTERN_PORT", "22")),
  user: setting("POSTERN_USER"),
  auth: [privateKey(await Deno.readTextFile(setting("POSTERN_KEY")))],
  hostKey: fingerprint(setting("POSTERN_HOST_KEY")),
});
tunnel.addEventListener("state", ({ state, reason }) => console.log(`tunnel: ${state}`, reason?.message ?? ""));
for (const signal of ["SIGTERM", "SIGINT"]) {
  Deno.addSignalListener(signal, () => void tunnel.close({ drainMs: 5_000 }));
}

let status = 0;
try {
  await tunnel.connect();
  const listener = await tunnel.listen({ port: Number(setting("POSTERN_REMOTE_PORT", "8080")) });
  const service = serve(listener, (request, { origin }) => {
    const { pathname } = new URL(request.url);
    return new Response(`Deno got ${request.method} ${pathname} from ${origin.host}\n`);
  });
  service.addEventListener("handlererror", ({ error }) => console.error(error));
  console.log(`port ${listener.port} on ${host} leads to this program`);
  await tunnel.closed;
} catch (error) {
  // A signal aborts a login.
  if (error.code !== "aborted") {
    console.error(error.message);
    status = 1;
  }
}
Deno.exit(status); // the listeners for signals would keep the program alive

/** Returns a variable of the environment. */
function setting(name, fallback) {
  const value = Deno.env.get(name) || fallback;
  if (value !== undefined) return value;
  console.error(`expected a value in ${name}, got none: see README.md`);
  Deno.exit(1);
}
