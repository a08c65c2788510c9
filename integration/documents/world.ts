/** The surroundings of the programs of the pages, on loopback: a server, keys, a target, a proxy, a bridge. @module */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import {
  type CertificateFile,
  certify,
  launch,
  makeKey,
  missing,
  type RealProxy,
  type Sshd,
  startMicrosocks,
  startSshd,
  type TempDir,
  tempDir,
} from "../harness/index.ts";

export interface World {
  readonly dir: TempDir;
  readonly server: Sshd;
  /** The port of a web server, the target of forwardings. */
  readonly targetPort: number;
  readonly socksPort: number | undefined;
  /** The WebSocket of a bridge that leads to the server. */
  readonly bridgeUrl: string;
  stop(): Promise<void>;
}

/** The answer of the target. */
export const answer = "hello from the target\n";

const password = "secret";

export async function createWorld(): Promise<World> {
  const dir = tempDir("postern-documents");
  for (const name of [".ssh", "files"]) mkdirSync(dir.file(name), { mode: 0o700 });
  const key = await makeKey("ed25519", dir.file(".ssh", "id_ed25519"));
  const authority = await makeKey("ed25519", dir.file("authority"));
  const server = await startSshd({
    password,
    authorizedKeys: [key.publicLine, `cert-authority ${authority.publicLine}`],
    config: { HostCertificate: dir.file("host-cert.pub") },
  });
  const hostCertificate = await certifyHost(dir, authority.file, `${server.dir}/host_ed25519.pub`);
  copyFileSync(hostCertificate.file, dir.file("host-cert.pub"));
  await server.kill();
  await server.restart();
  const host = `[127.0.0.1]:${server.port}`;
  for (const folder of [".ssh", "files"])
    writeFileSync(dir.file(folder, "known_hosts"), `${host} ${server.hostKeys.ed25519?.publicLine}\n`);
  const user = await certify(dir, authority.file, `${key.file}.pub`, "-I", "me", "-n", server.user);
  copyFileSync(user.file, `${key.file}-cert.pub`);
  writeFileSync(dir.file("package.json"), `{ "type": "module" }`);
  await makeServiceFiles(dir, authority.file);

  const target = createServer((_request, response) => response.end(answer));
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  const targetPort = (target.address() as AddressInfo).port;
  writeFileSync(
    dir.file(".ssh", "config"),
    [
      "Host my-alias",
      "  HostName 127.0.0.1",
      `  Port ${server.port}`,
      `  User ${server.user}`,
      `  IdentityFile ${key.file}`,
      `  UserKnownHostsFile ${dir.file(".ssh", "known_hosts")}`,
      `  RemoteForward 0 127.0.0.1:${targetPort}`,
      "",
    ].join("\n"),
  );
  const script = fileURLToPath(new URL("../../examples/bridge-node/bridge.mjs", import.meta.url));
  const bridge = await launch(process.execPath, [script, "--listen", "0", "--to", `127.0.0.1:${server.port}`]);
  const [, bridgeUrl = ""] = await bridge.stdout.waitFor(/(ws:\S+) leads to/);
  const proxy: RealProxy | undefined = missing("proxies") === undefined ? await startMicrosocks() : undefined;
  return {
    dir,
    server,
    targetPort,
    socksPort: proxy?.port,
    bridgeUrl,
    async stop() {
      await Promise.all([bridge.stop(), proxy?.stop(), server.stop()]);
      target.closeAllConnections();
      target.close();
      dir.remove();
    },
  };
}

/** Makes the files that the pages have in `/etc/my-service`, `/run/secrets` and `/var/lib/my-service`. */
async function makeServiceFiles(dir: TempDir, authority: string): Promise<void> {
  const hostKey = await makeKey("ed25519", dir.file("files", "host_key"));
  const certificate = await certifyHost(dir, authority, `${hostKey.file}.pub`);
  copyFileSync(certificate.file, `${hostKey.file}-cert.pub`);
  copyFileSync(`${authority}.pub`, dir.file("files", "ca.pub"));
  copyFileSync(dir.file(".ssh", "id_ed25519"), dir.file("files", "ssh-key"));
  chmodSync(dir.file("files", "ssh-key"), 0o600);
  writeFileSync(dir.file("files", "ssh-password"), password, { mode: 0o600 });
}

function certifyHost(dir: TempDir, authority: string, publicFile: string): Promise<CertificateFile> {
  return certify(dir, authority, publicFile, "-I", "host", "-h", "-n", "127.0.0.1");
}
