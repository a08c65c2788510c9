/** How much a peer can make us buffer between our KEXINIT and its own, in both roles. */
import { collectGarbage, type Liar } from "@postern/testkit";
import { GlobalRequest } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { describe, expect, it } from "vitest";
import type { SshConnection } from "../src/index.ts";
import { loggedIn, lyingClient, nothing, rejection, turns } from "./helpers.ts";

interface Attack {
  readonly ours: SshConnection;
  readonly liar: Liar;
}
const attacks: readonly [role: string, begin: () => Promise<Attack>][] = [
  [
    "client",
    async () => {
      const { liar, client } = await loggedIn();
      return { liar, ours: client };
    },
  ],
  [
    "server",
    async () => {
      const { liar, served } = lyingClient();
      await liar.logIn();
      return { liar, ours: await served };
    },
  ],
];

const request = GlobalRequest.encode({ name: "x", wantReply: true, specificData: nothing });

describe.each(attacks)("a %s that rekeys", (_role, begin) => {
  it("buffers at most 2 MiB when the peer sends requests instead of its KEXINIT, then ends the connection", async () => {
    const { ours, liar } = await begin();
    const ended = rejection(ours.closed);
    ours.rekey();
    // The peer never reads our KEXINIT.
    liar.transport.receive = () => {};
    await turns();
    const before = collectGarbage();
    let most = 0;
    let sent = 0;
    let failed: unknown;
    void ended.then((error) => {
      failed = error;
    });
    const batch = Array.from({ length: 1000 }, () => request);
    while (failed === undefined && sent < 20_000) {
      liar.send(...batch);
      sent += batch.length;
      await turns(2);
      if (sent % 4000 === 0 && failed === undefined) most = Math.max(most, collectGarbage() - before);
    }
    expect(failed).toMatchObject({ code: "limit" });
    expect(sent * Limits.heldOverhead).toBeLessThanOrEqual(Limits.heldOutput + 1000 * Limits.heldOverhead);
    expect(most).toBeLessThan(2 * 2 ** 20);
    liar.abort();
  });
});
