/**
 * Runs a tunnel and its server in memory, using only the globals of the minimum common web API (ECMA-429).
 * @module
 */
import { accept, type IncomingOpen, type SshConnection } from "@postern/ssh";
import {
  type Address,
  type BytePipe,
  type ByteStreams,
  fingerprint,
  generatePrivateKey,
  type Listener,
  modernAlgorithms,
  pipeFromStreams,
  privateKey,
  ReverseTunnel,
  readPrivateKey,
  SshError,
  sha256Fingerprint,
  streamsFromPipe,
  webRandom,
} from "@postern/web";
import { ForwardedTcpip, TcpipForwardReply } from "@postern/wire";

const hostPort = 4242;

/** Returns what a visitor of the tunnel received. With `local`, the tunnel connects to a target. */
export async function runTunnel(
  text: string,
  local = false,
): Promise<{ readonly echoed: string; readonly refused: string }> {
  const hostKey = await readPrivateKey(generatePrivateKey());
  const userKey = generatePrivateKey();
  const [ours, theirs] = link();
  let answered: (connection: SshConnection) => void = () => {};
  const listening = new Promise<SshConnection>((resolve) => {
    answered = resolve;
  });
  const served = accept(theirs, {
    algorithms: modernAlgorithms,
    random: webRandom,
    hostKeys: [hostKey],
    authenticate: ({ method }) => method === "publickey",
    onGlobalRequest(request, connection) {
      request.accept(TcpipForwardReply.encode({ port: hostPort }));
      answered(connection);
    },
    onChannelOpen: (open: IncomingOpen) => open.refuse(1, "no"),
  });
  const target = { host: "127.0.0.1", port: 80 };
  const tunnel = new ReverseTunnel({
    dial: () => ours,
    ...(local ? { dialTarget: echoAt(target) } : {}),
    host: "host.example",
    user: "test",
    auth: [privateKey(userKey)],
    hostKey: fingerprint(sha256Fingerprint(hostKey.publicKey)),
  });
  await tunnel.connect();
  await served;
  let refused = "";
  const asked = (tunnel.forward({ port: 0, target }) as Promise<Listener>).catch((error: unknown) => {
    if (error instanceof SshError) refused = error.code;
  });
  const forwarding = (await asked) ?? (await tunnel.listen({ port: 0 }));
  const host = await listening;
  const specificData = {
    address: forwarding.address,
    port: forwarding.port ?? 0,
    originAddress: "192.0.2.1",
    originPort: 1,
  };
  const visitor = host.openChannel("forwarded-tcpip", ForwardedTcpip.encode(specificData));
  for await (const channel of local ? [] : forwarding) {
    void channel.readable.pipeTo(channel.writable);
    break;
  }
  const { readable, writable } = await visitor;
  const writer = writable.getWriter();
  void writer.write(new TextEncoder().encode(text));
  void writer.close();
  let echoed = "";
  const decoder = new TextDecoder();
  const reader = readable.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    echoed += decoder.decode(next.value, { stream: true });
  }
  await tunnel.close();
  return { echoed, refused };
}

function echoAt(expected: Address): (target: Address) => BytePipe {
  return ({ host, port }) => {
    if (host !== expected.host || port !== expected.port) throw new Error("expected another target");
    const [ours, theirs] = link();
    const { readable, writable } = streamsFromPipe(theirs);
    void readable.pipeTo(writable);
    return ours;
  };
}

function link(): [BytePipe, BytePipe] {
  const [there, back] = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  return [
    pipeFromStreams({ readable: back.readable, writable: there.writable } as ByteStreams),
    pipeFromStreams({ readable: there.readable, writable: back.writable } as ByteStreams),
  ];
}
