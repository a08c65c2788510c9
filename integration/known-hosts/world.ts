/** Real verdicts: `ssh` with a known_hosts file, and an sshd that presents a host key or its certificate. @module */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { launch, makeKey, run, type Sshd, startSshd, type TempDir } from "../harness/index.ts";
import { type Case, certificates } from "./cases.ts";

/** A verdict, and the line that it is based on. */
export interface RealVerdict {
  readonly verdict: "trusted" | "unknown" | "changed" | "revoked";
  readonly line?: number;
}

const algorithms = {
  ed25519: "ssh-ed25519",
  rsa: "rsa-sha2-512",
  ecdsa: "ecdsa-sha2-nistp256",
} as const;

const types = { ed25519: "ed25519", rsa: "rsa2048", ecdsa: "ecdsa256", other: "ed25519", ca: "ed25519" } as const;

const outcome = /(is known and matches the)|REVOKED HOST KEY|IDENTIFICATION HAS CHANGED|No \S+ host key is known for/g;

/** Connects `ssh` to a server on loopback under any name and port. */
const pipe = "const s=require('net').connect(+process.argv[1],'127.0.0.1');process.stdin.pipe(s).pipe(process.stdout)";

export class KnownHostsWorld {
  /** `type base64` of each key and certificate */
  readonly lines = new Map<string, string>();
  readonly #dir: TempDir;
  readonly #hashed = new Map<string, string>();
  readonly #servers = new Map<string, Sshd>();
  #files = 0;

  constructor(dir: TempDir) {
    this.#dir = dir;
  }

  /** Creates the keys and certificates, and starts the servers. */
  async start(): Promise<void> {
    const dir = this.#dir;
    for (const [name, type] of Object.entries({ ...types, ca2: "ed25519", rsaCa: "rsa2048" } as const)) {
      this.lines.set(name, (await makeKey(type, dir.file(name))).publicLine);
    }
    const HostKey = ["ed25519", "rsa", "ecdsa"].map((name) => dir.file(name));
    this.#servers.set("", await startSshd({ config: { HostKey } }));
    for (const [name, { ca, args }] of Object.entries(certificates)) {
      const key = dir.file(`${name}-key.pub`);
      copyFileSync(dir.file("ed25519.pub"), key);
      await run("ssh-keygen", ["-q", "-s", dir.file(ca), "-I", name, ...args, key]);
      const HostCertificate = dir.file(`${name}-key-cert.pub`);
      this.lines.set(`cert:${name}`, readFileSync(HostCertificate, "utf8").split(" ", 2).join(" "));
      // sshd refuses a user certificate as a host certificate.
      if (name !== "user") this.#servers.set(name, await startSshd({ config: { HostKey, HostCertificate } }));
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
    this.#dir.remove();
  }

  /** Returns whether a server presents the certificate. */
  serves({ certificate }: Case): boolean {
    return this.#servers.has(certificate ?? "");
  }

  /** Returns the text with keys and hashes. */
  async textOf({ text }: Case): Promise<string> {
    let filled = text;
    for (const [place, kind = "", name = ""] of text.matchAll(/\{(?:(hash|base64):)?([^}]+)\}/g)) {
      const line = this.lines.get(name) ?? "";
      const value = kind === "hash" ? await this.#hash(name) : kind === "base64" ? line.split(" ")[1] : line;
      if (value === undefined || value === "") throw new Error(`expected a key named ${name}`);
      filled = filled.replace(place, value);
    }
    return filled;
  }

  /** Returns the verdict of `ssh`, with StrictHostKeyChecking=yes. */
  async verdict(one: Case, text: string): Promise<RealVerdict> {
    const { certificate, key = "ed25519" } = one;
    const algorithm = certificate === undefined ? algorithms[key] : "ssh-ed25519-cert-v01@openssh.com";
    const log = await this.#ssh(one, text, ["-o", `HostKeyAlgorithms=${algorithm}`]);
    // ssh may look up a certificate, the name without the port, and the plain key. The last outcome counts.
    const outcomes = [...log.matchAll(outcome)];
    const trusted = !/Host key verification failed/.test(log);
    const last = outcomes.findLast(({ 1: match }) => trusted === (match !== undefined))?.[0] ?? "";
    const lineOf = (pattern: RegExp): { readonly line?: number } => {
      const number = [...log.matchAll(pattern)].at(-1)?.[1];
      return number === undefined ? {} : { line: Number(number) };
    };
    if (trusted && last !== "") return { verdict: "trusted", ...lineOf(/Found (?:CA )?key in \S+:(\d+)/g) };
    if (last.includes("REVOKED")) return { verdict: "revoked" };
    if (last.includes("CHANGED")) return { verdict: "changed", ...lineOf(/Offending \S+ key in \S+:(\d+)/g) };
    if (last.startsWith("No ")) return { verdict: "unknown" };
    throw new Error(`expected a verdict of ssh, got: ${log}`);
  }

  /** Returns the host key algorithms that `ssh` offers, in order, out of some. */
  async offers(one: Case, text: string): Promise<readonly string[]> {
    const log = await this.#ssh(one, text, ["-vv"]);
    const [, list = ""] = /host key algorithms: (\S+)/.exec(log) ?? [];
    return list.split(",");
  }

  /** Returns the numbers of the lines with a readable key that `ssh-keygen -F` finds for a name. */
  async found(name: string, text: string): Promise<readonly number[]> {
    const file = this.#write(text);
    const process = await launch("ssh-keygen", ["-l", "-F", name, "-f", file]);
    await process.exited;
    const output = process.stdout.text();
    await process.stop();
    return [...output.matchAll(/^# Host .* found: line (\d+)/gm)].map(([, line]) => Number(line));
  }

  async #ssh(one: Case, text: string, args: readonly string[]): Promise<string> {
    const { host = "ssh.example.com", port = 22, hostKeyAlias, certificate } = one;
    const server = this.#servers.get(certificate ?? "");
    const options = {
      UserKnownHostsFile: this.#write(text),
      GlobalKnownHostsFile: "/dev/null",
      StrictHostKeyChecking: "yes",
      UpdateHostKeys: "no",
      BatchMode: "yes",
      IdentityAgent: "none",
      IdentityFile: "none",
      CanonicalizeHostname: "no",
      ProxyCommand: `node -e "${pipe}" ${server?.port}`,
      ...(hostKeyAlias === undefined ? {} : { HostKeyAlias: hostKeyAlias }),
    };
    const settings = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    const { PATH = "" } = process.env;
    const ssh = await launch("ssh", ["-v", "-F", "none", "-p", String(port), ...settings, ...args, `nobody@${host}`], {
      env: { PATH },
    });
    await ssh.exited;
    const log = ssh.stderr.text();
    await ssh.stop();
    return log;
  }

  #write(text: string): string {
    const file = this.#dir.file(`known_hosts_${this.#files++}`);
    writeFileSync(file, text);
    return file;
  }

  async #hash(name: string): Promise<string> {
    const known = this.#hashed.get(name);
    if (known !== undefined) return known;
    const file = this.#write(`${name} ${this.lines.get("ed25519")}\n`);
    await run("ssh-keygen", ["-H", "-f", file]);
    const [hashed = ""] = readFileSync(file, "utf8").split(" ");
    this.#hashed.set(name, hashed);
    return hashed;
  }
}
