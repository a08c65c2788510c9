import { describe, expect, it } from "vitest";
import { world } from "./world.ts";

describe("a client and a server of ours", () => {
  it("log on and open a channel that carries bytes both ways", async () => {
    const { client, server } = await world({
      server: { onChannelOpen: (open) => void open.accept().readable.pipeTo(new WritableStream()) },
    });
    expect(client.peer.version).toBe("SSH-2.0-Postern_0.1.0");
    expect(server.user).toBe("test");
    const channel = await client.openChannel("test", new Uint8Array(0));
    const writer = channel.writable.getWriter();
    await writer.write(new Uint8Array(100_000));
    await writer.close();
    await client.close();
    await expect(server.closed).rejects.toMatchObject({ code: "disconnected", reason: 11 });
  });
});
