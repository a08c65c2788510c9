/** Makes the programs of pages run here: replaces names, ports, paths and fingerprints, and nothing else. @module */
import type { World } from "./world.ts";

/** Returns a program with the servers, ports and files of a world. If it does not connect, it does so at its end. */
export function rewrite(code: string, world: World, freePort: number): string {
  const { server, dir } = world;
  const replacements: readonly (readonly [RegExp, string])[] = [
    // The server, with its port. The same one is the jump host.
    [/ssh\.example\.com:22/g, `127.0.0.1:${server.port}`],
    [/\n *port: 22,/g, ""],
    [/\b22, "bastion\.example\.com"/g, `${server.port}, "127.0.0.1"`],
    [/"ssh\.internal", port: 22/g, `"127.0.0.1", port: ${server.port}`],
    [/"(ssh\.example\.com|bastion\.example\.com|ssh\.internal)",/g, `"127.0.0.1", port: ${server.port},`],
    [/wss:\/\/bridge\.example\.com/g, world.bridgeUrl],
    [/socks5:\/\/127\.0\.0\.1:1080/g, `socks5://127.0.0.1:${world.socksPort}`],
    // Users, host keys, and files.
    [/(user(?:name)?: )"(?:deploy|me|test)"/g, `$1"${server.user}"`],
    [/SHA256:[\w+/]{43}/g, server.fingerprint()],
    [/hostKey: \(\) => false/g, "hostKey: () => true"],
    [/\/home\/me\//g, `${dir.path}/`],
    [/\/(etc|var\/lib)\/my-service\/|\/run\/secrets\//g, `${dir.file("files")}/`],
    [/"host_key"/g, `"${dir.file("host_key")}"`],
    // Targets; then the ports of forwardings and hosts, which are chosen here.
    [/(target: \{ host: "127\.0\.0\.1", port: )\d+/g, `$1${world.targetPort}`],
    [/net\.connect\(80,/g, `net.connect(${world.targetPort},`],
    [/"127\.0\.0\.1", 7777/g, `"127.0.0.1", ${freePort}`],
    [/\bport: (7777|8080|2222|1080)\b/g, "port: 0"],
  ];
  const changed = replacements.reduce((text, [pattern, text2]) => text.replaceAll(pattern, text2), code);
  const isIdle = /^const tunnel = new ReverseTunnel/m.test(code) && !/\.connect\(/.test(code);
  return isIdle ? `${changed}\nawait tunnel.connect();\n` : changed;
}

/** How a program ends, and what it opens until then. */
export interface Shape {
  /** The number of forwardings that a visitor can try. */
  readonly forwardings: number;
  /** Whether it waits until its tunnel is closed. */
  readonly waits: boolean;
  /** Whether it is a host to which clients can connect. */
  readonly isHost: boolean;
  /** The signal that ends it, if it does not end by itself. SIGUSR2 is that of the prelude. */
  readonly signal: NodeJS.Signals | undefined;
}

export function shapeOf(code: string): Shape {
  const closes = /await tunnel\.close\(/.test(code) || !/new ReverseTunnel\(|TunnelHost\.listen\(/.test(code);
  return {
    forwardings: closes ? 0 : [...code.matchAll(/tunnel\.(forward|listen)\(/g)].length,
    waits: /await \w+\.closed|for await/.test(code),
    isHost: /await TunnelHost\.listen\(/.test(code),
    signal: closes ? undefined : ((/"(SIGTERM|SIGINT)"/.exec(code)?.[1] ?? "SIGUSR2") as NodeJS.Signals),
  };
}
