/** Channels to UNIX sockets, as client and as server (OpenSSH PROTOCOL section 2.4). */
import { DirectStreamlocal, ForwardedStreamlocal, OpenFailureReason, utf8 } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { IncomingOpen } from "../src/index.ts";
import { nothing } from "./helpers.ts";
import { world } from "./world.ts";

describe("a channel to a UNIX socket (OpenSSH PROTOCOL section 2.4)", () => {
  it("is opened with the path and empty reserved fields", async () => {
    const opens: IncomingOpen[] = [];
    const onChannelOpen = (open: IncomingOpen): void => {
      opens.push(open);
      open.accept().start({ data() {}, end() {}, drain() {}, closed() {} });
    };
    const { client } = await world({ server: { onChannelOpen } });
    const channel = await client.openUnix("/run/größe.sock");
    expect(channel.type).toBe("direct-streamlocal@openssh.com");
    expect(opens[0]?.type).toBe("direct-streamlocal@openssh.com");
    expect(DirectStreamlocal.decode(opens[0]?.specificData ?? nothing)).toEqual({
      path: "/run/größe.sock",
      reserved: nothing,
      reservedNumber: 0,
    });
    await client.close();
  });

  it("rejects with the server's reason", async () => {
    const onChannelOpen = (open: IncomingOpen): void => open.refuse(OpenFailureReason.CONNECT_FAILED, "no such file");
    const { client } = await world({ server: { onChannelOpen } });
    await expect(client.openUnix("/gone")).rejects.toMatchObject({ code: "refused", reason: 2 });
    await expect(client.openUnix("")).rejects.toMatchObject({ code: "misuse" });
    await client.close();
    const { client: other } = await world();
    // RFC 4254 section 5.1: a server that does not know the type answers UNKNOWN_CHANNEL_TYPE.
    await expect(other.openUnix("/any")).rejects.toMatchObject({ code: "refused", reason: 3 });
    await other.close();
  });

  it("is opened by a server for a visitor of its socket, whatever the reserved field contains", async () => {
    const paths: string[] = [];
    const onChannelOpen = (open: IncomingOpen): void => {
      paths.push(open.type, ForwardedStreamlocal.decode(open.specificData).path);
      open.accept().start({ data() {}, end() {}, drain() {}, closed() {} });
    };
    const { client, server } = await world({ client: { onChannelOpen } });
    const specificData = ForwardedStreamlocal.encode({ path: "/run/web.sock", reserved: utf8("owner=1") });
    await server.openChannel("forwarded-streamlocal@openssh.com", specificData);
    expect(paths).toEqual(["forwarded-streamlocal@openssh.com", "/run/web.sock"]);
    await client.close();
  });
});
