/** Records sessions of our machines with other peers, and with a newer OpenSSH. See `record-transcripts.config.ts`. */
import type { Score } from "@postern/testkit";
import { afterAll, beforeAll, describe, it } from "vitest";
import { missing } from "./harness/index.ts";
import { algorithms, Recorder, visit } from "./harness/transcript-recorder.ts";
import { clients } from "./peers/clients.ts";
import type { Peer } from "./peers/peer.ts";
import { servers } from "./peers/servers.ts";

interface Recorded {
  /** The end of the names of its files. */
  readonly file: string;
  readonly name: string;
  /** Each side: the name in the table of peers, and the command that starts it. */
  readonly server?: readonly [name: string, command: string];
  readonly client?: readonly [name: string, command: string];
  /** A release of a newer Debian, which is recorded with post-quantum keys. */
  readonly newer?: true;
  /** The peer begins no rekey, or sends data between its KEXINIT and NEWKEYS, against RFC 4253 section 7.1. */
  readonly withoutRekey?: true;
  /** Waits until the other side closes the channel. */
  readonly waitsForClose?: true;
}

const dropbear: Omit<Recorded, "file"> = {
  name: "dropbear",
  server: ["dropbear", "dropbear -F -E"],
  client: ["dropbear dbclient", "dbclient -N -T -R 40001:127.0.0.1:PORT"],
};
const peers: readonly Recorded[] = [
  { file: "dropbear", ...dropbear },
  { file: "newer-dropbear", newer: true, ...dropbear },
  {
    file: "newer-openssh",
    name: "OpenSSH",
    newer: true,
    server: ["OpenSSH sshd", "sshd -D"],
    client: ["OpenSSH ssh", "ssh -N -R 40001:127.0.0.1:PORT"],
  },
  { file: "putty", name: "PuTTY", client: ["PuTTY plink", "plink -batch -N -R 40001:127.0.0.1:PORT"] },
  {
    file: "asyncssh",
    name: "asyncssh",
    server: ["asyncssh", "integration/peers/programs/asyncssh_server.py"],
    client: ["asyncssh", "integration/harness/clients/asyncssh_tunnel.py"],
    withoutRekey: true,
    waitsForClose: true,
  },
  {
    file: "paramiko",
    name: "paramiko",
    server: ["paramiko", "integration/peers/programs/paramiko_server.py"],
    client: ["paramiko", "integration/harness/clients/paramiko_tunnel.py"],
  },
  {
    file: "libssh",
    name: "libssh",
    server: ["libssh", "integration/peers/programs/libssh_server.c"],
    client: ["libssh", "integration/peers/programs/libssh_client.c"],
  },
  {
    file: "ssh2",
    name: "ssh2",
    server: ["ssh2", "integration/peers/programs/ssh2_server.mjs"],
    client: ["ssh2", "integration/peers/programs/ssh2_client.mjs"],
  },
];
const rekeyBytes = 5000;
interface Limit {
  readonly rekeyBytes?: number;
}
const begunBy = (side: string, limit: Limit): string =>
  limit.rekeyBytes === undefined ? "" : `; new keys every ${limit.rekeyBytes} bytes, begun by the ${side}`;
const withLimit = (limit: Limit): string =>
  limit.rekeyBytes === undefined ? "" : ` with new keys every ${limit.rekeyBytes} bytes`;

let recorder: Recorder;
beforeAll(async () => {
  recorder = await Recorder.create();
});
afterAll(() => recorder?.remove());

describe.each(peers)("$file", ({ file, name, server, client, newer = false, withoutRekey, waitsForClose }) => {
  const isMissing = newer && missing("newer") !== undefined;
  const others: Pick<Score, "algorithms" | "inputs"> = {
    // paramiko never sends less than 4096 bytes in a packet.
    inputs: { window: 8192, maxPacket: 4096, ...(waitsForClose ? { closes: true } : {}) },
    algorithms: {
      ...algorithms,
      // paramiko has the older name alone.
      kex: newer ? ["mlkem768x25519-sha256"] : ["curve25519-sha256", "curve25519-sha256@libssh.org"],
      // dropbear has no MACs that cover the ciphertext.
      macs: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-256"],
    },
  };

  it.skipIf(server === undefined || isMissing)("is the server", async () => {
    const { start, limit } = find(servers, server?.[0]);
    const running = await start({ user: recorder.key, ...limit });
    try {
      const comment = `login by an ed25519 key, a forwarding that is echoed and half-closed${begunBy("server", limit)}`;
      await recorder.asClient(
        `client-of-${file}`,
        running,
        { name, command: `${server?.[1]}${withLimit(limit)}; ${visit}` },
        { comment, ...others },
      );
    } finally {
      await running.stop();
    }
  });

  it.skipIf(client === undefined || isMissing)("is the client", async () => {
    const { start, limit } = find(clients, client?.[0]);
    const comment = `login by an ed25519 key, a visitor who half-closes and reads the echo${begunBy("client", limit)}`;
    await recorder.asServer(
      `server-of-${file}`,
      { name, command: `${client?.[1]}${withLimit(limit)}, the target sends back what comes` },
      { comment, ...others },
      async (target, port) => {
        const running = await start({ server: target, user: recorder.key, listen: 40_001, target: port, ...limit });
        // The session shows whether the client listens.
        running.listening.catch(() => {});
        return running;
      },
    );
  });

  /** Finds a peer in a table, with its limit of bytes. */
  function find<Side extends Peer>(all: readonly Side[], title = ""): Side & { limit: Limit } {
    const found = all.find((one) => one.name === title && (one.newer ?? false) === newer);
    if (found === undefined) throw new Error(`expected ${title} in the table of peers`);
    return { ...found, limit: found.rekeys && !withoutRekey ? { rekeyBytes } : {} };
  }
});
