/** The identities that users have, and near misses. @module */
import { writeFile } from "node:fs/promises";
import { createCertificateSigner } from "@postern/keys";
import {
  type AuthMethod,
  agent,
  keyboardInteractive,
  none,
  password,
  privateKey,
  readPrivateKey,
  type Signer,
} from "@postern/node";
import { contentOf } from "@postern/testkit/vectors";
import { privateKey as portablePrivateKey } from "@postern/web";
import {
  type Agent,
  certify,
  type KeyPair,
  makeKey,
  type SoftwareToken,
  softwareToken,
  startAgent,
  startTokenAgent,
  type TokenAgent,
} from "../harness/index.ts";
import { type CertificateWorld, certifiedTypes, nearMisses, valid } from "./certificates.ts";
import { type KeyFile, keyFiles } from "./key-files.ts";
import type { IdentityServer, ServerKind } from "./servers.ts";

export interface Identity {
  /** The row of the table. Several identities may share it. */
  readonly row: string;
  /** Tells apart the identities of a row. */
  readonly detail?: string;
  readonly verdict: "accepted" | "refused";
  readonly methods: (server: IdentityServer, index: number) => AuthMethod | Promise<readonly AuthMethod[]>;
  /** Default: all. */
  readonly kinds?: readonly ServerKind[];
  /** The text that each kind of server must log. */
  readonly logged?: Partial<Record<ServerKind, RegExp>>;
  /** Starts a separate server with these lines of sshd_config and this password. */
  readonly server?: { readonly config: Readonly<Record<string, string>>; readonly password?: string };
}

const publickeyAccepted = { sshd: /Accepted publickey for /, dropbear: /Pubkey auth succeeded/ } as const;
const certificateKinds = ["sshd", "TunnelHost"] as const;
const tokenTypes = ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] as const;

/** Keys, agents and tokens. */
export class Identities {
  readonly #world: CertificateWorld;
  readonly #files: readonly KeyFile[] = keyFiles();
  readonly #tokens: readonly SoftwareToken[] = tokenTypes.map((type) => softwareToken(type));
  readonly #lazyToken = softwareToken("sk-ssh-ed25519@openssh.com", false);
  readonly #tokenAgents: TokenAgent[] = [];
  readonly #agents: Agent[] = [];
  #webCrypto: { readonly signer: Signer; readonly publicLine: string } | undefined;
  #stranger: KeyPair | undefined;

  constructor(world: CertificateWorld) {
    this.#world = world;
  }

  async start(): Promise<void> {
    for (const type of tokenTypes) this.#tokenAgents.push(await startTokenAgent(type));
    this.#stranger = await makeKey("ed25519", this.#world.dir.file("stranger"));
    this.#webCrypto = await nonExtractable();
  }

  async stop(): Promise<void> {
    for (const one of [...this.#tokenAgents, ...this.#agents]) await one.stop();
  }

  /** The lines of authorized_keys. The keys of certificates are not among them. */
  get publicLines(): readonly string[] {
    const lines = [
      ...this.#files.map(([, , { publicLine }]) => publicLine),
      ...[...this.#tokens, this.#lazyToken, ...this.#tokenAgents].map(({ publicLine }) => publicLine),
      this.#webCrypto?.publicLine ?? "",
    ];
    return [...new Set(lines.map((line) => line.split(" ", 2).join(" ")))];
  }

  /** Before `start`, because a test exists for each. */
  all(): readonly Identity[] {
    return [
      ...this.#files.map((file) => fileIdentity(file)),
      ...this.#certificates(),
      ...this.#agentKeys(),
      ...this.#signers(),
      ...this.#passwords(),
      ...this.#nearMisses(),
    ];
  }

  #certificates(): readonly Identity[] {
    const world = this.#world;
    const plain = certifiedTypes.map((type): Identity => {
      const methods = async ({ user }: IdentityServer) => {
        const { file, privateText } = world.key(type);
        const args = ["-I", `id ${type}`, "-n", user, ...valid];
        const { text } = await certify(world.dir, world.key("ca").file, `${file}.pub`, ...args);
        return [privateKey(privateText, { certificate: text })];
      };
      const logged = { sshd: new RegExp(`Accepted publickey for .*-CERT .* ID id ${type}`) };
      return { row: "certificate", detail: type, verdict: "accepted", methods, kinds: certificateKinds, logged };
    });
    const sha256: Identity = {
      row: "certificate, rsa-sha2-256",
      verdict: "accepted",
      kinds: certificateKinds,
      async methods({ user }) {
        const { file, privateText } = world.key("rsa3072");
        const args = ["-I", "sha256", "-n", user, ...valid];
        const { text } = await certify(world.dir, world.key("rsa-ca").file, `${file}.pub`, ...args);
        const only = { ...(await readPrivateKey(privateText)), algorithms: ["rsa-sha2-256"] };
        return [privateKey(createCertificateSigner(only, text, { type: "user" }))];
      },
      logged: { sshd: /Accepted publickey for .* ID sha256/ },
    };
    const tokens = this.#tokens.map(
      (token): Identity => ({
        row: "certificate of a security key",
        detail: token.algorithms[0] ?? "",
        verdict: "accepted",
        kinds: certificateKinds,
        async methods({ user }) {
          const file = world.dir.file(`token-${token.algorithms[0]}.pub`);
          await writeFile(file, `${token.publicLine}\n`);
          const { text } = await certify(world.dir, world.key("ca").file, file, "-I", "token", "-n", user, ...valid);
          return [privateKey(createCertificateSigner(token, text))];
        },
        logged: { sshd: /Accepted publickey for .*-SK-CERT .* ID token/ },
      }),
    );
    return [...plain, sha256, ...tokens];
  }

  #agentKeys(): readonly Identity[] {
    const world = this.#world;
    const plain = this.#files
      .filter(([row]) => row === "OpenSSH, plain")
      .map(
        ([, type, { text = "" }]): Identity => ({
          row: "ssh-agent",
          detail: type,
          verdict: "accepted",
          logged: publickeyAccepted,
          methods: async () => {
            const ssh = await this.#agent();
            const file = world.dir.file(`agent-${this.#agents.length}`);
            await writeFile(file, text, { mode: 0o600 });
            await ssh.add(["-q", file]);
            return [agent({ path: ssh.path })];
          },
        }),
      );
    const certified = (["ed25519", "rsa3072"] as const).map(
      (type): Identity => ({
        row: "ssh-agent, certificate",
        detail: type,
        verdict: "accepted",
        kinds: certificateKinds,
        methods: async ({ user }) => {
          const ssh = await this.#agent();
          const file = world.dir.file(`agent-${this.#agents.length}`);
          const { privateText, file: original } = world.key(type);
          await writeFile(file, privateText, { mode: 0o600 });
          const args = ["-I", "in the agent", "-n", user, ...valid];
          const { text } = await certify(world.dir, world.key("ca").file, `${original}.pub`, ...args);
          await writeFile(`${file}-cert.pub`, text);
          await ssh.add(["-q", file]);
          return [agent({ path: ssh.path })];
        },
        logged: { sshd: /Accepted publickey for .*-CERT .* ID in the agent/ },
      }),
    );
    const hardware = tokenTypes.map(
      (type, index): Identity => ({
        row: "agent, hardware key",
        detail: type,
        verdict: "accepted",
        methods: () => agent({ path: this.#tokenAgents[index]?.path ?? "" }),
        logged: { ...publickeyAccepted, sshd: /Accepted publickey for .*-SK / },
      }),
    );
    return [...plain, ...certified, ...hardware];
  }

  #signers(): readonly Identity[] {
    return [
      ...this.#tokens.map(
        (token): Identity => ({
          row: "Signer, security key",
          detail: token.algorithms[0] ?? "",
          verdict: "accepted",
          methods: () => privateKey(token),
          logged: { ...publickeyAccepted, sshd: /Accepted publickey for .*-SK / },
        }),
      ),
      {
        row: "Signer, WebCrypto key that cannot be exported",
        verdict: "accepted",
        methods: async () => (this.#webCrypto === undefined ? [] : [privateKey(this.#webCrypto.signer)]),
        logged: publickeyAccepted,
      },
    ];
  }

  #passwords(): readonly Identity[] {
    const [, , { text = "" } = { text: "" }] = this.#files[0] ?? [];
    return [
      {
        row: "password",
        verdict: "accepted",
        methods: (server) => password(server.password ?? ""),
        logged: { sshd: /Accepted password for /, dropbear: /Password auth succeeded/ },
      },
      {
        row: "keyboard-interactive",
        verdict: "accepted",
        kinds: ["sshd", "TunnelHost"],
        methods: (server) => keyboardInteractive(({ prompts }) => prompts.map(() => server.password ?? "")),
        logged: { sshd: /Accepted keyboard-interactive\/pam for / },
      },
      {
        row: "key, then password (partial success)",
        verdict: "accepted",
        kinds: ["sshd"],
        methods: async (server) => [privateKey(text), password(server.password ?? "")],
        logged: { sshd: /Partial publickey for [\s\S]*Accepted password for / },
        server: { config: { AuthenticationMethods: "publickey,password" } },
      },
      {
        row: "none",
        verdict: "accepted",
        kinds: ["sshd"],
        methods: () => none(),
        logged: { sshd: /Accepted none for / },
        server: { config: { PermitEmptyPasswords: "yes", UsePAM: "no" }, password: "" },
      },
    ];
  }

  #nearMisses(): readonly Identity[] {
    const world = this.#world;
    const refused = "refused" as const;
    const certificates = nearMisses.map(
      ({ title, make, sshd, ours }): Identity => ({
        row: title,
        verdict: refused,
        kinds: certificateKinds,
        async methods({ user }) {
          // The option `certificate` would refuse some of these before the login.
          const signer = await readPrivateKey(world.key("ed25519").privateText);
          return [privateKey(createCertificateSigner(signer, (await make(world, user)).text))];
        },
        logged: { sshd, TunnelHost: ours },
      }),
    );
    return [
      ...certificates,
      {
        row: "the certificate of a revoked key",
        verdict: refused,
        kinds: certificateKinds,
        async methods({ user }) {
          const { privateText, file } = world.revoked;
          const args = ["-I", "revoked", "-n", user, ...valid];
          const { text } = await certify(world.dir, world.key("ca").file, `${file}.pub`, ...args);
          return [privateKey(privateText, { certificate: text })];
        },
        logged: { sshd: /revoked/, TunnelHost: /revoked/ },
      },
      {
        row: "an untouched security key",
        verdict: refused,
        methods: () => privateKey(this.#lazyToken),
        logged: { sshd: /user presence .* not/, TunnelHost: /expected a touch of the security key/ },
      },
      {
        row: "the key of a certificate, without it",
        verdict: refused,
        methods: () => privateKey(world.key("ed25519").privateText),
      },
      { row: "an unknown key", verdict: refused, methods: () => privateKey(this.#stranger?.privateText ?? "") },
      { row: "a wrong password", verdict: refused, methods: () => password("wrong") },
    ];
  }

  async #agent(): Promise<Agent> {
    const ssh = await startAgent();
    this.#agents.push(ssh);
    return ssh;
  }
}

function fileIdentity([row, keyType, vector]: KeyFile): Identity {
  const passphrase = () => Promise.resolve(vector.passphrase ?? "");
  let signer: Promise<Signer> | undefined;
  return {
    row,
    detail: keyType,
    verdict: "accepted",
    logged: publickeyAccepted,
    async methods(_, index) {
      // Both providers read the file; the other servers get the same signer, because key derivation takes its time.
      const content = contentOf(vector);
      if (index === 0) return [privateKey(content, { passphrase })];
      // In JavaScript there is no 3DES.
      if (index === 1 && !row.includes("3DES")) return [portablePrivateKey(content, { passphrase })];
      signer ??= readPrivateKey(content, { passphrase });
      return [privateKey(await signer)];
    },
  };
}

/** A key of WebCrypto, with the signer of the example. */
async function nonExtractable(): Promise<{ readonly signer: Signer; readonly publicLine: string }> {
  const url = new URL("../../examples/browser-key/src/signer.mjs", import.meta.url);
  const { webCryptoSigner } = (await import(url.href)) as { webCryptoSigner(pair: CryptoKeyPair): Promise<Signer> };
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pair = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const signer = await webCryptoSigner(pair);
  return { signer, publicLine: `${signer.algorithms[0]} ${Buffer.from(signer.publicKey).toString("base64")}` };
}
