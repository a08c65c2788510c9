/** Every key exchange with OpenSSH and dropbear, in both roles, and what `peer` tells about it. */
import { type Algorithms, compatibleAlgorithms, hostAlgorithms, privateKey, ReverseTunnel } from "@postern/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nextEvent, startHost } from "./harness/clients/host.ts";
import { dbclient, missingClient } from "./harness/clients/programs.ts";
import {
  freePort,
  type KeyPair,
  makeKey,
  missing,
  newerRoot,
  nextRoot,
  runSsh,
  type SshServer,
  startDropbear,
  startSshd,
  type TempDir,
  tempDir,
  tunnelOptions,
} from "./harness/index.ts";

const groups = [
  "diffie-hellman-group14-sha256",
  "diffie-hellman-group16-sha512",
  "diffie-hellman-group18-sha512",
  "diffie-hellman-group-exchange-sha256",
];
const curves = ["curve25519-sha256", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"];
const sntrupBefore = "sntrup761x25519-sha512@openssh.com";
const hybrids = ["mlkem768x25519-sha256", "sntrup761x25519-sha512", sntrupBefore];

const only = (set: Algorithms, kex: string): Algorithms => ({
  ...set,
  kex: compatibleAlgorithms.kex.filter(({ name }) => name === kex),
});

let dir: TempDir;
let user: KeyPair;
beforeAll(async () => {
  dir = tempDir("postern-kex");
  user = await makeKey("ed25519", dir.file("user"));
});
afterAll(() => dir?.remove());

/** Our ReverseTunnel logs in and opens a port. */
async function tunnelTo(server: SshServer, kex: string): Promise<void> {
  const tunnel = new ReverseTunnel(
    await tunnelOptions(server, {
      user: server.user,
      auth: [privateKey(user.privateText)],
      algorithms: only(compatibleAlgorithms, kex),
      reconnect: { mode: "never" },
    }),
  );
  await tunnel.connect();
  expect(tunnel.peer?.algorithms).toMatchObject({
    kex,
    hostKey: "ssh-ed25519",
    compressionC2s: "none",
    postQuantum: hybrids.includes(kex),
  });
  await tunnel.listen({ port: await freePort() });
  await tunnel.close();
  expect(tunnel.peer).toBeUndefined();
}

describe.each([
  ["OpenSSH sshd", missing("sshd"), [...curves, ...groups, sntrupBefore], () => startSshd(sshdOptions())],
  [
    "OpenSSH sshd of a newer Debian",
    missing("sshd", "newer"),
    [...curves, ...groups, ...hybrids],
    () => startSshd({ ...sshdOptions(), root: newerRoot() }),
  ],
  [
    "dropbear",
    missing("dropbear"),
    [...curves, "diffie-hellman-group14-sha256"],
    () => startDropbear({ authorizedKeys: [user.publicLine] }),
  ],
  [
    "dropbear of a newer Debian",
    missing("dropbear", "newer"),
    ["curve25519-sha256", "diffie-hellman-group14-sha256", "sntrup761x25519-sha512", "mlkem768x25519-sha256"],
    () => startDropbear({ authorizedKeys: [user.publicLine], root: newerRoot() }),
  ],
] as const)("our ReverseTunnel and %s", (title, reason, methods, start) => {
  if (reason !== undefined) {
    process.stderr.write(`skipped: ${title}: ${reason}\n`);
    return it.skip(reason);
  }
  let server: SshServer & { stop(): Promise<void> };
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  it.each(methods)("log in by %s", (kex) => tunnelTo(server, kex));
});

function sshdOptions(): { authorizedKeys: string[]; config: Record<string, string> } {
  const all = [...curves, ...groups].join(",");
  return { authorizedKeys: [user.publicLine], config: { KexAlgorithms: `+${all}` } };
}

describe.each([
  ["OpenSSH ssh", missing("ssh"), [...curves, ...groups, sntrupBefore], undefined],
  ["OpenSSH ssh of a newer Debian", missing("ssh", "newer"), [...curves, ...groups, ...hybrids], newerRoot],
] as const)("our TunnelHost and %s", (title, reason, methods, root) => {
  if (reason !== undefined) {
    process.stderr.write(`skipped: ${title}: ${reason}\n`);
    return it.skip(reason);
  }
  it.each(methods)("log in by %s", async (kex) => {
    const server = await startHost({
      keys: `${user.publicLine}\n`,
      algorithms: only({ ...hostAlgorithms, ciphers: compatibleAlgorithms.ciphers }, kex),
    });
    const login = nextEvent(server.host, "login");
    const client = await runSsh(["-N"], {
      server,
      identity: user,
      config: { KexAlgorithms: kex },
      ...(root === undefined ? {} : { root: root() }),
    });
    const { client: loggedIn } = await login;
    expect(loggedIn.peer).toMatchObject({ algorithms: { kex, postQuantum: hybrids.includes(kex) } });
    // OpenSSH 10.1 warns about a key exchange that is not post-quantum.
    if (hybrids.includes(kex)) expect(client.stderr.text()).not.toMatch(/post-quantum/);
    await client.stop();
    await server.stop();
  });
});

describe("by their defaults, without a choice of algorithms", () => {
  const newer = [
    ["newer", missing("sshd", "ssh", "newer"), newerRoot],
    ["next", missing("sshd", "ssh", "next"), nextRoot],
  ] as const;
  it.for(newer)("ReverseTunnel and sshd of the %s Debian use ML-KEM", async ([, reason, root], { skip }) => {
    if (reason !== undefined) return skip(reason);
    const server = await startSshd({ authorizedKeys: [user.publicLine], root: root() });
    const { algorithms: _all, ...options } = await tunnelOptions(server, {
      user: server.user,
      auth: [privateKey(user.privateText)],
      reconnect: { mode: "never" },
    });
    const tunnel = new ReverseTunnel(options);
    await tunnel.connect();
    expect(tunnel.peer).toMatchObject({
      version: expect.stringMatching(/^SSH-2\.0-OpenSSH_10/),
      serverSigAlgs: expect.arrayContaining(["ssh-ed25519"]),
      algorithms: { kex: "mlkem768x25519-sha256", postQuantum: true, strict: true },
    });
    await tunnel.close();
    await server.stop();
  });

  it.skipIf(missing("sshd"))("ReverseTunnel and the sshd of Debian 12 use Streamlined NTRU Prime", async () => {
    const server = await startSshd({ authorizedKeys: [user.publicLine] });
    const tunnel = new ReverseTunnel(
      await tunnelOptions(server, {
        user: server.user,
        auth: [privateKey(user.privateText)],
        reconnect: { mode: "never" },
      }),
    );
    await tunnel.connect();
    expect(tunnel.peer?.algorithms).toMatchObject({ kex: "sntrup761x25519-sha512", postQuantum: true });
    await tunnel.close();
    await server.stop();
  });

  it.for(newer)("TunnelHost and ssh of the %s Debian use ML-KEM", async ([, reason, root], { skip }) => {
    if (reason !== undefined) return skip(reason);
    const server = await startHost({ keys: `${user.publicLine}\n` });
    const login = nextEvent(server.host, "login");
    const client = await runSsh(["-N"], { server, identity: user, root: root() });
    expect((await login).client.peer).toMatchObject({
      version: expect.stringMatching(/^SSH-2\.0-OpenSSH_10/),
      algorithms: { kex: "mlkem768x25519-sha256", postQuantum: true },
    });
    await client.stderr.waitFor(/Entering interactive session/);
    expect(client.stderr.text()).not.toMatch(/post-quantum/);
    await client.stop();
    await server.stop();
  });

  it.skipIf(missing("ssh", "next"))("OpenSSH 10.1 and later warn only about a TunnelHost without them", async () => {
    const server = await startHost({
      keys: `${user.publicLine}\n`,
      algorithms: only(hostAlgorithms, "curve25519-sha256"),
    });
    const client = await runSsh(["-N"], { server, identity: user, root: nextRoot() });
    await client.stderr.waitFor(/WARNING: connection is not using a post-quantum key exchange algorithm/);
    await client.stop();
    await server.stop();
  });
});

describe.skipIf(missingClient("dbclient"))("our TunnelHost and dropbear dbclient", () => {
  it.each(["curve25519-sha256", "diffie-hellman-group14-sha256"])("log in by %s", async (kex) => {
    const server = await startHost({ keys: `${user.publicLine}\n`, algorithms: only(hostAlgorithms, kex) });
    const login = nextEvent(server.host, "login");
    const client = await dbclient({
      server,
      identity: user,
      listen: await freePort(),
      target: await freePort(),
      root: undefined,
    });
    expect((await login).client.peer?.algorithms.kex).toBe(kex);
    await client.stop();
    await server.stop();
  });
});
