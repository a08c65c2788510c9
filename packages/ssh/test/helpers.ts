/** Helpers of this package's tests, in addition to the world. */
import { Liar, type LiarOptions, pipePair, wrapped } from "@postern/testkit";
import { type Bytes, ChannelOpen, ChannelOpenConfirmation } from "@postern/wire";
import {
  accept,
  type BytePipe,
  type Channel,
  type ClientOptions,
  connect,
  type PipeSink,
  type ServerOptions,
  type SshConnection,
} from "../src/index.ts";
import { clientOptions, serverOptions } from "./world.ts";

export { rejection, turns } from "@postern/testkit";

export const nothing = new Uint8Array(0);

/** A pipe that calls `tell` with each chunk before it is delivered. `pieces` sets the size of chunks. */
export function tapped(pipe: BytePipe, tell: (chunk: Bytes) => void, pieces?: number): BytePipe {
  return {
    ...wrapped(pipe),
    start: (sink) =>
      pipe.start({
        data(chunk) {
          for (let at = 0; at < chunk.length; at += pieces ?? chunk.length) {
            const piece = chunk.slice(at, at + (pieces ?? chunk.length));
            tell(piece);
            sink.data(piece);
          }
        },
        end: () => sink.end(),
        drain: () => sink.drain(),
        closed: (error) => sink.closed(error),
      }),
  };
}

/** A client whose server is a liar. `connected` resolves if the liar lets it log in. */
export function lyingServer(
  options: LiarOptions = {},
  client: Partial<ClientOptions> = {},
): { readonly liar: Liar; readonly connected: Promise<SshConnection> } {
  const [left, right] = pipePair();
  const liar = new Liar("server", right, options);
  return { liar, connected: connect(left, { ...clientOptions("lied to"), ...client }) };
}

/** As {@link lyingServer}, logged in. */
export async function loggedIn(
  client: Partial<ClientOptions> = {},
  options: LiarOptions = {},
): Promise<{ readonly liar: Liar; readonly client: SshConnection }> {
  const { liar, connected } = lyingServer(options, client);
  await liar.letIn();
  return { liar, client: await connected };
}

/** A server whose client is a liar. */
export function lyingClient(
  server: Partial<ServerOptions> = {},
  options: LiarOptions = {},
): { readonly liar: Liar; readonly served: Promise<SshConnection> } {
  const [left, right] = pipePair();
  return { liar: new Liar("client", left, options), served: accept(right, { ...serverOptions("lied to"), ...server }) };
}

/** A channel to a lying server that has number 7 there. */
export async function lyingChannel({
  window = 1_000_000,
  maxPacket = 32_768,
  ours = {} as { window?: number; maxPacket?: number },
} = {}): Promise<{
  readonly liar: Liar;
  readonly client: SshConnection;
  readonly channel: Channel;
}> {
  const both = await loggedIn();
  const opening = both.client.openChannel("test", nothing, ours);
  const { senderChannel } = ChannelOpen.decode(await both.liar.until(ChannelOpen.number));
  both.liar.send(
    ChannelOpenConfirmation.encode({
      recipientChannel: senderChannel,
      senderChannel: 7,
      initialWindow: window,
      maxPacket,
      specificData: nothing,
    }),
  );
  return { ...both, channel: await opening };
}

/** The number of timers that keep the process alive. */
export const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

/** A sink that records its calls as text, and its bytes. */
export function recorder(): PipeSink & { readonly told: string[]; readonly bytes: Bytes[] } {
  const told: string[] = [];
  const bytes: Bytes[] = [];
  return {
    told,
    bytes,
    data(chunk) {
      bytes.push(chunk);
      told.push(`data ${chunk.length}`);
    },
    end: () => void told.push("end"),
    drain: () => void told.push("drain"),
    closed: (error) => void told.push(error === undefined ? "closed" : `closed: ${error.message}`),
  };
}
