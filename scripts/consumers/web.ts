/** A program over `@postern/web`, type-checked and never run. @module */
import {
  type ArrayBufferBytes,
  type BytePipe,
  type Channel,
  fingerprint,
  hashPassword,
  keyboardInteractive,
  password,
  pipeFromStreams,
  policy,
  privateKey,
  ReverseTunnel,
  SshError,
  serve,
  streamsFromPipe,
  TunnelHost,
} from "@postern/web";

declare const transport: BytePipe;
declare const file: Uint8Array;

export const tunnel: ReverseTunnel = new ReverseTunnel({
  dial: (host, { signal }) => {
    signal.throwIfAborted();
    return host.port === 22 ? transport : pipeFromStreams(streamsFromPipe(transport));
  },
  host: "ssh.example.com",
  user: "test",
  auth: [password("secret"), privateKey("text"), privateKey(file), keyboardInteractive(() => ["secret"])],
  hostKey: fingerprint("SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYzMtFDqMRQH+xi8E"),
});

tunnel.addEventListener("state", ({ state, reason }) => {
  if (state === "waiting") throw reason ?? new SshError("closed", state);
});
tunnel.addEventListener("reconnectattempt", (event) => event.preventDefault(), { once: true });
tunnel.addEventListener("forwarding", { handleEvent: ({ forwarding }) => void forwarding.close() });
const onNotice = (event: Event): string => event.type;
tunnel.addEventListener("banner", onNotice);
tunnel.removeEventListener("banner", onNotice);
// @ts-expect-error: a misspelt event
tunnel.addEventListener("sate", () => {});
// @ts-expect-error: an event of another class
tunnel.addEventListener("login", () => {});

export async function text(channel: Channel): Promise<string> {
  let received = "";
  const reader = channel.readable.pipeThrough(new TextDecoderStream()).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) received += next.value;
  return received;
}

export async function hash(chunk: ArrayBufferBytes): Promise<Blob> {
  const digest = await crypto.subtle.digest("SHA-256", chunk);
  return new Blob([chunk, digest]);
}

export async function run(signal: AbortSignal): Promise<void> {
  await tunnel.connect({ signal });
  const listener = await tunnel.listen({ port: 0, signal });
  serve(listener, (request) => new Response(request.url));
  for await (const channel of listener) {
    await channel.readable.pipeTo(channel.writable);
    const writer = channel.writable.getWriter();
    await writer.write(new TextEncoder().encode(await text(channel)));
  }
  await tunnel.closed;
}

export async function host(hostKeys: ConstructorParameters<typeof TunnelHost>[0]["hostKeys"]): Promise<void> {
  const server = new TunnelHost({
    hostKeys,
    authorize: policy({ test: { password: await hashPassword("secret"), permitListen: ["localhost:*"] } }),
  });
  server.addEventListener("login", ({ user }) => user.length);
  // @ts-expect-error: a misspelt event
  server.addEventListener("logon", () => {});
  await server.serve(transport);
}
