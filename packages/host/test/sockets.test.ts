import { formatPublicKey } from "@postern/keys";
import type { BytePipe, SshConnection } from "@postern/ssh";
import { otherHostKey, pipePair } from "@postern/testkit";
import { policy } from "@postern/web";
import { ForwardedStreamlocal, SshError, StreamlocalForward } from "@postern/wire";
import { describe, expect, it } from "vitest";
import type { TunnelHostOptions } from "../src/index.ts";
import { isPlainPath, pathMatcher } from "../src/path-pattern.ts";
import { grantsOf, restrict } from "../src/permissions.ts";
import { ask, cuttable, echoing, hostWorld } from "./world.ts";

/** A world whose platform has UNIX sockets in memory. */
function socketWorld(options: Partial<TunnelHostOptions> = {}) {
  const permissions = { permitListen: ["/run/tunnels/*"], permitOpen: ["/run/db.sock"] };
  const authorize = policy({ test: { password: "secret", ...permissions } });
  const world = hostWorld({ authorize, ...options });
  const sockets = new Map<string, (visitor: BytePipe) => void>();
  const modes: number[] = [];
  Object.assign(world.network, {
    listenPath: async (path: string, { mode }: { readonly mode: number }, onVisitor: (visitor: BytePipe) => void) => {
      if (sockets.has(path)) throw new SshError("connect", "expected a free path, got EADDRINUSE");
      sockets.set(path, onVisitor);
      modes.push(mode);
      return { close: async () => void sockets.delete(path) };
    },
    dialPath: async (path: string) => {
      const [ours, theirs] = pipePair();
      world.network.targets.get(path)?.(theirs);
      return ours;
    },
  });
  const visit = (path: string): BytePipe => {
    const [ours, theirs] = pipePair();
    sockets.get(path)?.(theirs);
    return ours;
  };
  return { ...world, sockets, modes, visit };
}

async function request(client: SshConnection, name: string, path: string): Promise<boolean> {
  return (await client.request(`${name}@openssh.com`, StreamlocalForward.encode({ path }))).ok;
}

describe("a forwarding of a UNIX socket (OpenSSH PROTOCOL section 2.4)", () => {
  it("listens on a permitted path, opens forwarded-streamlocal channels, and is cancelled by its path", async () => {
    const world = socketWorld();
    const opened: string[] = [];
    const client = await world.client({
      onChannelOpen: (open) => {
        opened.push(`${open.type} ${ForwardedStreamlocal.decode(open.specificData).path}`);
        open.accept();
      },
    });
    const path = "/run/tunnels/web.sock";
    const forwarding = world.event("forwardingopened");
    expect(await request(client, "streamlocal-forward", path)).toBe(true);
    expect((await forwarding).forwarding).toMatchObject({ address: path, port: 0, path });
    expect(world.modes).toEqual([0o600]);
    const visitor = world.event("visitor");
    world.visit(path).start({ data() {}, end() {}, drain() {}, closed() {} });
    await visitor;
    await client.request("keepalive@openssh.com", new Uint8Array(0));
    expect(opened).toEqual([`forwarded-streamlocal@openssh.com ${path}`]);
    expect(await request(client, "cancel-streamlocal-forward", "/run/tunnels/other")).toBe(false);
    expect(await request(client, "streamlocal-forward", path)).toBe(false);
    expect(await request(client, "cancel-streamlocal-forward", path)).toBe(true);
    expect(world.sockets.size).toBe(0);
    await client.close();
  });

  it.each([
    ["another folder", "/run/other/x"],
    ["a folder below", "/run/tunnels/a/b"],
    ["a way out of the folder", "/run/tunnels/../other"],
    ["a way out and back", "/run/tunnels/../tunnels/x"],
    ["the folder itself", "/run/tunnels/."],
    ["an empty part", "/run/tunnels//x"],
    ["a relative path", "run/tunnels/x"],
    ["a NUL, which ends the path for the system", "/run/tunnels/x\0"],
    ["a line end", "/run/tunnels/x\n"],
    ["a path longer than the system takes", `/run/tunnels/${"x".repeat(100)}`],
    ["an abstract socket of Linux", "\0/run/tunnels/x"],
    ["nothing", ""],
  ])("is refused for %s", async (_, path) => {
    const world = socketWorld();
    const client = await world.client();
    const refusal = world.event("refusal");
    expect(await request(client, "streamlocal-forward", path)).toBe(false);
    expect((await refusal).reason).toMatch(/permission denied$/);
    expect(world.sockets.size).toBe(0);
    await client.close();
  });

  it("is refused by default, if the permission is a function, and on a platform without sockets", async () => {
    const path = "/run/tunnels/x";
    for (const permitListen of [undefined, () => true, ["*:*"]]) {
      const world = socketWorld({ authorize: () => ({ permitListen }) });
      const client = await world.client();
      expect(await request(client, "streamlocal-forward", path)).toBe(false);
      await client.close();
    }
    const world = hostWorld({ authorize: () => ({ permitListen: ["/run/tunnels/*"] }) });
    const client = await world.client();
    expect(await request(client, "streamlocal-forward", path)).toBe(false);
    await client.close();
  });

  it("is taken over from a silent connection of the same user", async () => {
    const world = socketWorld({ keepAlive: { intervalMs: 0 } });
    let cut = (): void => {};
    const holder = await world.client({
      wrap: (pipe) => {
        const wrapped = cuttable(pipe);
        cut = wrapped.cut;
        return wrapped.pipe;
      },
    });
    holder.closed.catch(() => {});
    const path = "/run/tunnels/x";
    expect(await request(holder, "streamlocal-forward", path)).toBe(true);
    cut();
    const takeover = world.event("takeover");
    const client = await world.client({ onChannelOpen: echoing() });
    expect(await request(client, "streamlocal-forward", path)).toBe(true);
    expect(await takeover).toMatchObject({ path, port: 0 });
    await client.close();
  });

  it("counts as a port of the client and of the user", async () => {
    const world = socketWorld({ limits: { forwardings: 1 } });
    const client = await world.client();
    expect(await request(client, "streamlocal-forward", "/run/tunnels/a")).toBe(true);
    const refusal = world.event("refusal");
    expect(await request(client, "streamlocal-forward", "/run/tunnels/b")).toBe(false);
    expect((await refusal).limit).toBe("forwardings");
    await client.close();
  });
});

describe("direct-streamlocal@openssh.com", () => {
  it("connects to the sockets that permitOpen lists, and to no others", async () => {
    const world = socketWorld();
    world.network.targets.set("/run/db.sock", (pipe) => pipe.start(answering(pipe)));
    const client = await world.client();
    expect(await ask(await client.openUnix("/run/db.sock"), "hello")).toBe("hello");
    for (const path of ["/run/other.sock", "/run/../run/db.sock", "/run/db.sock\0x"])
      await expect(client.openUnix(path)).rejects.toThrow(SshError);
    await client.close();
  });

  function answering(pipe: BytePipe) {
    return {
      data: (chunk: Uint8Array) => void pipe.write(chunk.slice()),
      end: () => pipe.end(),
      drain() {},
      closed() {},
    };
  }
});

describe("patterns of paths", () => {
  it("match within one part: * and ? never match a slash", () => {
    const matches = pathMatcher("/run/*/web-?.sock");
    expect(matches("/run/ann/web-1.sock")).toBe(true);
    expect(
      ["/run/web-1.sock", "/run/a/b/web-1.sock", "/run/ann/web-/.sock", "/run/../web-1.sock"].map(matches),
    ).toEqual(Array.from({ length: 4 }, () => false));
  });

  it.each(["run/x", "/run/../x", "/run//x", "/run/", "/", "/run/./x", "/run/x\n"])("throw for %j", (pattern) => {
    expect(isPlainPath(pattern)).toBe(false);
    expect(() => pathMatcher(pattern)).toThrow(SshError);
  });

  it("are never granted by a restriction of a user who may listen on every port", () => {
    const grants = grantsOf(restrict({}, { permitListen: ["localhost:*", "/run/tunnels/*"] }));
    expect(grants.mayListenPath("/run/tunnels/victim")).toBe(false);
    expect([grants.mayListen("localhost", 8080), grants.mayListen("0.0.0.0", 8080)]).toEqual([true, false]);
  });

  it("are only restricted by a key: by one that forwards no port, or only some", () => {
    const user = { permitListen: ["/run/tunnels/*", "localhost:*"] };
    const may = (by: { readonly permitListen?: readonly string[] }): boolean =>
      grantsOf(restrict(user, by)).mayListenPath("/run/tunnels/x");
    expect(may({})).toBe(true);
    expect(may({ permitListen: [] })).toBe(false);
    expect(may({ permitListen: ["localhost:*"] })).toBe(false);
    expect(may({ permitListen: ["/run/*/x"] })).toBe(true);
    expect(grantsOf(restrict(restrict(user, {}), { permitListen: ["/run/*/x"] })).mayListenPath("/run/tunnels/y")).toBe(
      false,
    );
  });

  it("cannot be in a key's line, as in sshd", () => {
    const line = formatPublicKey(otherHostKey().publicKey);
    expect(() => policy({ test: { keys: `permitlisten="/run/x" ${line}` } })).toThrow(SshError);
  });
});
