/** An operator runs a TunnelHost while OpenSSH clients stay connected: takeover, revocation, reload, and its messages. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { generatePrivateKey, policy, readPrivateKey, sha256Fingerprint } from "@postern/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { echoes, type HostOptions, nextEvent, type RunningHost, startHost } from "./harness/clients/host.ts";
import {
  allocatedPort,
  echoTarget,
  freePort,
  type KeyPair,
  makeKey,
  missing,
  type Running,
  runSsh,
  type SshClientOptions,
  startAgent,
  type Target,
  type TempDir,
  tempDir,
} from "./harness/index.ts";

let dir: TempDir;
let echo: Target;
let key: KeyPair;
let other: KeyPair;
let running: Running[] = [];
let hosts: RunningHost[] = [];

beforeAll(async () => {
  dir = tempDir("postern-host-operation");
  echo = await echoTarget();
  if (missing("ssh")) return;
  key = await makeKey("ed25519", dir.file("key"));
  other = await makeKey("ed25519", dir.file("other"));
});
afterEach(async () => {
  for (const one of running) await one.stop();
  for (const one of hosts) await one.stop();
  running = [];
  hosts = [];
});
afterAll(async () => {
  await echo?.stop();
  dir?.remove();
});

async function aHost(options: HostOptions = {}): Promise<RunningHost> {
  const host = await startHost({ keys: `${key.publicLine}\n${other.publicLine}\n`, ...options });
  hosts.push(host);
  return host;
}

async function ssh(args: readonly string[], options: SshClientOptions): Promise<Running> {
  const client = await runSsh(args, { identity: key, ...options });
  running.push(client);
  return client;
}

/** Sends a text to a UNIX socket and ends. Resolves with the answer. */
async function askSocket(path: string, text: string): Promise<string> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

const target = (): string => `127.0.0.1:${echo.port}`;
const forwarded = /remote forward success for/;

describe.skipIf(missing("ssh"))("a host whose clients are OpenSSH", () => {
  it("moves the port of a stopped client to the user's next one, and leaves that of a live one", async () => {
    const server = await aHost({ keepAlive: { intervalMs: 0 } });
    const port = await freePort();
    const first = await ssh(["-N", "-R", `${port}:${target()}`], { server });
    await first.stderr.waitFor(forwarded);
    const second = await ssh(["-N", "-R", `${port}:${target()}`], { server });
    expect(await second.exited).toBe(255);
    expect(second.stderr.text()).toContain("remote port forwarding failed");
    process.kill(first.pid, "SIGSTOP");
    const takeover = nextEvent(server.host, "takeover");
    const third = await ssh(["-N", "-R", `${port}:${target()}`], { server });
    await third.stderr.waitFor(forwarded);
    expect((await takeover).port).toBe(port);
    expect(await echoes(port, 1000)).toBe(true);
    process.kill(first.pid, "SIGCONT");
    expect(await first.exited).toBe(255);
  });

  it("ends the connections of a revoked key at once, and lets those of other keys be", async () => {
    const server = await aHost();
    const revoked = await ssh(["-N", "-R", `0:${target()}`], { server });
    const kept = await ssh(["-N", "-R", `0:${target()}`], { server, identity: other });
    await allocatedPort(revoked);
    const port = await allocatedPort(kept);
    expect(server.host.revoke({ fingerprint: key.fingerprint })).toBe(1);
    expect(await revoked.exited).toBe(255);
    expect(await echoes(port, 1000)).toBe(true);
    const again = await ssh(["-N"], { server });
    expect(await again.exited).toBe(255);
    expect(again.stderr.text()).toContain("Permission denied");
  });

  it("keeps a client through a reload of the host key, and through rekeys after it", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-vv", "-R", `0:${target()}`], { server });
    const port = await allocatedPort(client);
    const signer = await readPrivateKey(generatePrivateKey());
    server.host.reload({ hostKeys: [signer] });
    const rekeyed = client.stderr.waitFor(/SSH2_MSG_NEWKEYS received[\s\S]*SSH2_MSG_NEWKEYS received/);
    server.host.clients[0]?.rekey();
    await rekeyed;
    expect(await echoes(port, 100_000)).toBe(true);
    const later = await ssh(["-N"], { server });
    expect(await later.exited).toBe(255);
    expect(later.stderr.text()).toContain(sha256Fingerprint(signer.publicKey));
    await expect.poll(() => server.host.clients).toHaveLength(1);
  });

  it("prints the address, the port, the URL and each visitor in a session", async () => {
    const server = await aHost({ url: ({ port }) => `https://${port}.example.com` });
    const client = await ssh(["-R", `0:${target()}`], { server });
    const port = await allocatedPort(client);
    await client.stdout.waitFor(new RegExp(`listening on "localhost" port ${port}: https://${port}.example.com`));
    expect(await echoes(port, 1000)).toBe(true);
    await client.stdout.waitFor(new RegExp(`"127.0.0.1" port \\d+ connected to "localhost" port ${port}`));
  });

  it("refuses X11 forwarding (RFC 4254 section 6.3.1), and never uses a forwarded agent", async () => {
    const server = await aHost();
    const agent = await startAgent();
    try {
      // A name in another case comes before that of the harness, and ssh uses the first.
      const config = { ForwardX11Trusted: "yes", ForwardX11: "yes", identityagent: agent.path };
      const env = { DISPLAY: "127.0.0.1:99" };
      const client = await ssh(["-X", "-A", "-R", `0:${target()}`], { server, config, env });
      const port = await allocatedPort(client);
      await client.stderr.waitFor(/Requesting authentication agent forwarding/);
      await client.stderr.waitFor(/X11 forwarding request failed on channel/);
      expect(await echoes(port, 1000)).toBe(true);
      expect(client.stderr.text()).not.toMatch(/client_request_x11|client_request_agent/);
    } finally {
      await agent.stop();
    }
  });

  it("listens on a permitted UNIX socket (-R /path), connects to one (-L port:/path), and refuses others", async () => {
    const folder = dir.file("sockets");
    mkdirSync(folder);
    const [ours, theirs] = [`${folder}/web.sock`, `${folder}/echo.sock`];
    const permits = { permitListen: [`${folder}/*`, "localhost:*"], permitOpen: [theirs] };
    const server = await aHost({ authorize: policy({ test: { keys: key.publicLine, ...permits } }) });
    const echoing = createServer((socket) => socket.pipe(socket).on("error", () => {}));
    await new Promise<void>((resolve) => echoing.listen(theirs, resolve));
    const port = await freePort();
    const client = await ssh(["-N", "-R", `${ours}:${target()}`, "-L", `${port}:${theirs}`], { server });
    await client.stderr.waitFor(/remote forward success for: listen \/\S+web\.sock/);
    expect(statSync(ours).mode & 0o777).toBe(0o600);
    expect(await askSocket(ours, "hello")).toBe("hello");
    expect(await echoes(port, 100_000)).toBe(true);
    const closed = nextEvent(server.host, "forwardingclosed");
    await client.stop();
    expect((await closed).forwarding).toMatchObject({ path: ours, visitors: 1 });
    expect(existsSync(ours)).toBe(false);
    const refused = await ssh(["-N", "-R", `${dir.file("other.sock")}:${target()}`], { server });
    expect(await refused.exited).toBe(255);
    expect(refused.stderr.text()).toContain("permission denied");
    echoing.close();
  });

  it("is a jump host for ssh -J to the hosts that permitOpen lists", async () => {
    const inner = await aHost();
    const outer = await aHost({
      authorize: policy({ test: { keys: key.publicLine, permitOpen: [`127.0.0.1:${inner.port}`] } }),
    });
    const jump = `ssh -F none -i ${key.file} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -p ${outer.port} -W %h:%p test@127.0.0.1`;
    const client = await ssh(["-N", "-R", `0:${target()}`], { server: inner, config: { ProxyCommand: jump } });
    expect(await echoes(await allocatedPort(client), 100_000)).toBe(true);
    expect(outer.host.clients[0]?.channels).toBe(1);
  });

  it("counts them in its metrics", async () => {
    const server = await aHost();
    const client = await ssh(["-N", "-R", `0:${target()}`], { server });
    expect(await echoes(await allocatedPort(client), 100_000)).toBe(true);
    const text = server.host.metrics();
    expect(text).toContain('postern_host_logins_total{method="publickey",outcome="accepted"} 1\n');
    expect(text).toContain("postern_host_visitors_accepted_total 1\n");
    expect(Number(/postern_host_received_bytes_total (\d+)/.exec(text)?.[1])).toBeGreaterThan(100_000);
  });
});
