/** Real proxies on loopback: microsocks, Dante, tinyproxy, and stunnel in front of one. @module */
import { readFileSync, writeFileSync } from "node:fs";
import { freePort, listening } from "./ports.ts";
import { launch, type Running, run } from "./process.ts";
import { program } from "./requirements.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

export interface RealProxy {
  readonly port: number;
  readonly log: () => string;
  /** Ends the proxy and its connections at once, until `restart`. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Login {
  readonly username: string;
  readonly password: string;
}

/** SOCKS5, with a password if there is a login. */
export function startMicrosocks(login?: Login): Promise<RealProxy> {
  const user = login === undefined ? [] : ["-u", login.username, "-P", login.password];
  return startServer("microsocks", (port) => ["-i", "127.0.0.1", "-p", String(port), ...user]);
}

/** SOCKS5 by Dante, which refuses to connect to these ports. */
export function startDante(blocked: readonly number[] = []): Promise<RealProxy> {
  const all = "from: 0.0.0.0/0 to: 0.0.0.0/0";
  return startServer("danted", (port, dir) => {
    const lines = [
      "logoutput: stderr",
      `internal: 127.0.0.1 port = ${port}`,
      "external: 127.0.0.1",
      "clientmethod: none",
      "socksmethod: none",
      "user.unprivileged: nobody",
      `client pass { ${all} }`,
      ...blocked.map((one) => `socks block { ${all} port = ${one} }`),
      `socks pass { ${all} log: connect }`,
    ];
    writeFileSync(dir.file("danted.conf"), `${lines.join("\n")}\n`);
    return ["-f", dir.file("danted.conf"), "-p", dir.file("danted.pid")];
  });
}

/** HTTP CONNECT, with basic authentication if there is a login, and to one port alone if that is set. */
export function startTinyproxy({
  login,
  connectPort,
}: {
  readonly login?: Login;
  readonly connectPort?: number;
} = {}): Promise<RealProxy> {
  return startServer("tinyproxy", (port, dir) => {
    const lines = [
      `Port ${port}`,
      "Listen 127.0.0.1",
      "Timeout 600",
      "LogLevel Connect",
      ...(login === undefined ? [] : [`BasicAuth ${login.username} ${login.password}`]),
      ...(connectPort === undefined ? [] : [`ConnectPort ${connectPort}`]),
    ];
    writeFileSync(dir.file("tinyproxy.conf"), `${lines.join("\n")}\n`);
    return ["-d", "-c", dir.file("tinyproxy.conf")];
  });
}

/** TLS in front of a proxy, with a certificate of its own for `localhost` and 127.0.0.1. */
export async function startTls(behind: RealProxy): Promise<RealProxy & { readonly certificate: string }> {
  const dir = tempDir("postern-tls");
  const { key, certificate } = await makeCertificate(dir);
  const proxy = await startServer("stunnel4", (port, { file }) => {
    const lines = ["foreground = yes", "pid =", "[proxy]", `accept = 127.0.0.1:${port}`];
    lines.push(`connect = 127.0.0.1:${behind.port}`, `cert = ${certificate}`, `key = ${key}`);
    writeFileSync(file("stunnel.conf"), `${lines.join("\n")}\n`);
    return [file("stunnel.conf")];
  });
  return {
    ...proxy,
    certificate: readFileSync(certificate, "utf8"),
    async stop() {
      await proxy.stop();
      dir.remove();
    },
  };
}

/** Makes a key and a self-signed certificate for `localhost` and 127.0.0.1. Returns the names of the files. */
export async function makeCertificate(dir: TempDir): Promise<{ readonly key: string; readonly certificate: string }> {
  const [key, certificate] = [dir.file("key.pem"), dir.file("certificate.pem")];
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
    ...["-keyout", key, "-out", certificate, "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
  ]);
  return { key, certificate };
}

/** Starts a program that listens on the port that it is given. */
export async function startServer(
  name: string,
  prepare: (port: number, dir: TempDir) => readonly string[],
): Promise<RealProxy> {
  const path = program(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  const dir = tempDir(`postern-${name}`);
  const port = await freePort();
  const begin = async (): Promise<Running> => {
    const process = await launch(path, prepare(port, dir));
    const ended = process.exited.then((code) => {
      throw new Error(`${name} ended with ${code}:\n${process.stdout.text()}${process.stderr.text()}`);
    });
    await Promise.race([listening(port, AbortSignal.timeout(10_000)), ended]);
    ended.catch(() => undefined);
    return process;
  };
  let process = await begin();
  return {
    port,
    log: () => process.stdout.text() + process.stderr.text(),
    kill: () => process.stop(),
    async restart() {
      process = await begin();
    },
    async stop() {
      await process.stop();
      dir.remove();
    },
  };
}
