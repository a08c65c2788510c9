/** The login methods of a host, in the order in which ssh tries them. @module */
import type { AuthEntry, AuthMethod, InteractiveRequest, MaybePromise } from "@postern/auth";
import { keyboardInteractive, password } from "@postern/auth";
import { fromBase64 } from "@postern/wire";
import { selectAlgorithms } from "./algorithm-lists.ts";
import {
  certifiedLine,
  certifies,
  type Identity,
  isCertificate,
  publicLine,
  readIdentity,
  readText,
} from "./identity-files.ts";
import type { SshConfigParts } from "./parts.ts";
import type { Resolution } from "./resolve.ts";
import { rsaBits } from "./rsa-size.ts";
import { environmentVariable } from "./tokens.ts";

/** The login that a secret is for: the server, or one of its jump hosts. */
export interface SshConfigLogin {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** whether this is a jump host */
  readonly isJumpHost: boolean;
}

/** Sources of secrets. A method without its source is left out. */
export interface SshConfigSecrets {
  /** Called for an encrypted key, if the server may accept it. Without it, encrypted keys are left out. */
  readonly passphrase?: (path: string) => MaybePromise<string>;
  /** A text is for the server only, and is not sent to jump hosts. A function is called for each of them. */
  readonly password?: string | ((login: SshConfigLogin) => MaybePromise<string>);
  readonly keyboardInteractive?: (
    request: InteractiveRequest,
    login: SshConfigLogin,
  ) => MaybePromise<readonly string[]>;
}

/** Most questions for one password, whatever NumberOfPasswordPrompts says. Servers disconnect after six refusals. */
const mostPrompts = 6;

/** Signature algorithms that our signers know, for PubkeyAcceptedAlgorithms. */
const signatures: readonly string[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "sk-ssh-ed25519@openssh.com",
  "sk-ecdsa-sha2-nistp256@openssh.com",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/** Creates the login methods. Files that do not exist are left out, as in OpenSSH. */
export async function loginMethods(
  resolution: Pick<Resolution, "config" | "system">,
  isJumpHost: boolean,
  secrets: SshConfigSecrets,
  parts: SshConfigParts,
): Promise<readonly AuthMethod[]> {
  const { config } = resolution;
  const { batchMode, hostName: host, port, user, numberOfPasswordPrompts } = config;
  const login = { host, port, user, isJumpHost };
  const prompts = Math.min(numberOfPasswordPrompts, mostPrompts);
  const create: Readonly<Record<string, () => MaybePromise<readonly AuthMethod[]>>> = {
    publickey: () => (config.pubkeyAuthentication === "no" ? [] : keyMethods(resolution, secrets, parts)),
    "keyboard-interactive"() {
      const answer = secrets.keyboardInteractive;
      if (answer === undefined || batchMode || !config.kbdInteractiveAuthentication) return [];
      return Array.from({ length: prompts }, () => keyboardInteractive((request) => answer(request, login)));
    },
    password() {
      const secret = secrets.password;
      if (secret === undefined || batchMode || !config.passwordAuthentication) return [];
      if (typeof secret === "string") return isJumpHost ? [] : [password(secret)];
      return Array.from({ length: prompts }, () => password(() => secret(login)));
    },
  };
  const { preferredAuthentications = "publickey,keyboard-interactive,password" } = config;
  const names = new Set(preferredAuthentications.split(",").filter((name) => Object.hasOwn(create, name)));
  const methods: AuthMethod[] = [];
  for (const name of names) methods.push(...((await create[name]?.()) ?? []));
  return methods.length > 0 ? methods : [parts.none()];
}

/**
 * Keys of the agent first, then files. In each, the certificates of CertificateFile come first, as in OpenSSH, because
 * the keys could use up the tries of the server.
 */
async function keyMethods(
  resolution: Pick<Resolution, "config" | "system">,
  { passphrase }: SshConfigSecrets,
  parts: SshConfigParts,
): Promise<readonly AuthMethod[]> {
  const { config } = resolution;
  const paths = config.identityFile.filter((path) => path.toLowerCase() !== "none");
  const found = await Promise.all(paths.map(readIdentity));
  const isLong = (line: string | undefined) => (bitsOf(line) ?? Infinity) >= config.requiredRSASize;
  const identities = found.filter((one): one is Identity => one !== undefined && isLong(one.publicKey));
  const certificates = await readCertificates(config.certificateFile ?? []);
  const accepted = acceptedAlgorithms(config);
  const usable = certificates.filter((one) => isCertificate(one) && isAccepted(one, accepted));
  const methods = agentMethods(resolution, identities, usable, parts);
  const plain: AuthMethod[] = [];
  for (const { path, isPrivate, isEncrypted, publicKey } of identities) {
    if (!isPrivate || (isEncrypted && passphrase === undefined)) continue;
    const plan = passphrase === undefined ? {} : { passphrase: () => passphrase(path) };
    const own = await readCertificates([`${path}-cert.pub`]);
    // As OpenSSH: if the `.pub` beside a key is a certificate, the key is offered only with it.
    const isCertified = publicKey?.includes("-cert-v01@") === true;
    const named = publicKey === undefined ? [] : certificates.filter((one) => certifies(one, publicKey));
    const all = new Set([...named, ...(isCertified ? [publicKey] : []), ...own]);
    for (const certificate of all) {
      if (!isAccepted(certificate, accepted)) continue;
      (named.includes(certificate) ? methods : plain).push(parts.privateKeyFile(path, { ...plan, certificate }));
    }
    if (!isCertified && (publicKey === undefined || isAccepted(publicKey, accepted))) {
      plain.push(parts.privateKeyFile(path, { ...plan, certificate: false }));
    }
  }
  methods.push(...plain);
  return accepted === undefined ? methods : methods.map((method) => limited(method, accepted));
}

/** The bits of an RSA key; `undefined` for other types. */
function bitsOf(line: string | undefined): number | undefined {
  return line === undefined ? undefined : rsaBits(fromBase64(line.split(" ")[1] ?? ""));
}

/** The certificates of CertificateFile first, then the keys of the files. With IdentitiesOnly, no others. */
function agentMethods(
  { config, system }: Pick<Resolution, "config" | "system">,
  identities: readonly Identity[],
  certificates: readonly string[],
  parts: SshConfigParts,
): AuthMethod[] {
  const { identitiesOnly, settings } = config;
  const found = agentPlan(config, system);
  if (found === undefined) return [];
  const identity = identities.flatMap(({ publicKey }) => publicKey ?? []);
  const isNamed = settings.some(({ keyword }) => keyword.startsWith("identityfile"));
  const usesNamed = identity.length > 0 && (isNamed || identitiesOnly);
  const named = usesNamed ? [parts.agent({ ...found, identity })] : [];
  const isUsable = (one: string): boolean => !identitiesOnly || identity.some((key) => certifies(one, key));
  const certified = certificates
    .filter(isUsable)
    .map((one) => firstOf(parts.agent({ ...found, identity: [certifiedLine(one)], certificate: [one] })));
  return [...certified, ...named, ...(identitiesOnly ? [] : [parts.agent(found)])];
}

/** The first of the methods that a method returns: of an agent with one key, the certificate without the key. */
function firstOf(method: AuthMethod): AuthMethod {
  return {
    ...method,
    begin(context) {
      const dialog = method.begin(context);
      return {
        async next(answer) {
          const step = await dialog.next(answer);
          return Array.isArray(step) ? (step as readonly AuthEntry[]).slice(0, 1) : step;
        },
      };
    },
  };
}

/** Returns where the agent is, or `undefined` if there is none. */
function agentPlan(
  { identityAgent = "SSH_AUTH_SOCK" }: Resolution["config"],
  { env, isWindows }: Resolution["system"],
): { readonly path?: string } | undefined {
  if (identityAgent.toLowerCase() === "none") return undefined;
  const isVariable = identityAgent === "SSH_AUTH_SOCK" || identityAgent.startsWith("$");
  const path = isVariable ? environmentVariable(env, identityAgent.replace(/^\$/, "")) : identityAgent;
  if (path !== undefined && path !== "") return { path };
  return isWindows && identityAgent === "SSH_AUTH_SOCK" ? {} : undefined;
}

async function readCertificates(paths: readonly string[]): Promise<readonly string[]> {
  const texts = await Promise.all(paths.map(readText));
  return texts.flatMap((text) => (text === undefined ? [] : (publicLine(text) ?? [])));
}

function acceptedAlgorithms({ pubkeyAcceptedAlgorithms }: Resolution["config"]): readonly string[] | undefined {
  if (pubkeyAcceptedAlgorithms === undefined) return undefined;
  const certificates = signatures.map((name) => `${name.replace("@openssh.com", "")}-cert-v01@openssh.com`);
  const all = [...signatures, ...certificates];
  return selectAlgorithms(pubkeyAcceptedAlgorithms, all, all);
}

/** Returns whether the key or the certificate of a line may be used. RSA keys sign with two algorithms. */
function isAccepted(line: string, accepted: readonly string[] | undefined): boolean {
  const [type = ""] = line.split(" ");
  if (accepted === undefined || accepted.includes(type)) return true;
  const isCertificate = type.includes("-cert-");
  const names = accepted.filter((name) => name.startsWith("rsa-sha2-"));
  return type.startsWith("ssh-rsa") && names.some((name) => name.includes("-cert-") === isCertificate);
}

/** The method, with signature algorithms that are accepted. It chooses among those of the server. */
function limited(method: AuthMethod, accepted: readonly string[]): AuthMethod {
  return {
    ...method,
    begin(context) {
      const { serverAlgorithms = accepted } = context;
      return method.begin({ ...context, serverAlgorithms: serverAlgorithms.filter((name) => accepted.includes(name)) });
    },
  };
}
