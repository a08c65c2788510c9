/** The memory of visitors whose channels are not read. */
import * as net from "node:net";
import { bytesInUse, Liar } from "@postern/testkit";
import {
  ChannelData,
  ChannelOpen,
  ChannelOpenConfirmation,
  ForwardedTcpip,
  GlobalRequest,
  RequestSuccess,
} from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { expect, it } from "vitest";
import { hostAlgorithms, password, prepareAlgorithms, ReverseTunnel } from "../src/index.ts";
import { socketPipe } from "../src/socket.ts";

const MiB = 1024 * 1024;
const nothing = new Uint8Array(0);

it("limits 1,000 unread visitors to the window budget of 256 MiB, and little beside it", async () => {
  const server = net.createServer({ allowHalfOpen: true });
  const accepted = new Promise<net.Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = server.address() as net.AddressInfo;
  const options = { host: "127.0.0.1", port, user: "test", auth: [password("secret")], hostKey: () => true };
  const tunnel = new ReverseTunnel({ ...options, reconnect: { mode: "never" } });
  const algorithms = await prepareAlgorithms(hostAlgorithms);
  const login = tunnel.connect();
  const liar = new Liar("server", socketPipe(await accepted), { algorithms });
  await liar.letIn();
  await login;
  const asking = tunnel.listen({ port: 8080 });
  for (;;) {
    const { name } = GlobalRequest.decode(await liar.until(GlobalRequest.number));
    if (name === "tcpip-forward") break;
  }
  liar.send(RequestSuccess.encode({ specificData: nothing }));
  await asking;

  const before = await bytesInUse();
  const specificData = ForwardedTcpip.encode({
    address: "localhost",
    port: 8080,
    originAddress: "192.0.2.1",
    originPort: 1,
  });
  let windows = 0;
  for (let senderChannel = 0; senderChannel < 1000; senderChannel++) {
    liar.send(
      ChannelOpen.encode({
        channelType: "forwarded-tcpip",
        senderChannel,
        initialWindow: 2 ** 21,
        maxPacket: 2 ** 15,
        specificData,
      }),
    );
    const confirmation = ChannelOpenConfirmation.decode(await liar.until(ChannelOpenConfirmation.number));
    windows += confirmation.initialWindow;
    // As much as the window allows. The next write resolves when the data is read.
    for (let left = confirmation.initialWindow; left > 0; left -= 2 ** 15) {
      const data = new Uint8Array(Math.min(left, 2 ** 15));
      liar.send(ChannelData.encode({ recipientChannel: confirmation.senderChannel, data }));
    }
  }
  const held = (await bytesInUse()) - before;
  expect(windows).toBeLessThanOrEqual(Limits.windows);
  expect(held).toBeLessThan(1.1 * Limits.windows);
  expect(held).toBeGreaterThan(windows / 2);
  expect(tunnel.state).toBe("open");
  liar.abort();
  server.close();
  await tunnel.closed.catch(() => {});
  expect((await bytesInUse()) - before).toBeLessThan(16 * MiB);
}, 60_000);
