/** Logging in with the keys of an SSH agent. @module */
import { type AuthContext, type AuthMethod, publickey } from "@postern/auth";
import type { Signer } from "@postern/crypto";
import {
  AgentIdentitiesAnswer,
  type AgentIdentity,
  AgentRequestIdentities,
  AgentSignRequest,
  AgentSignResponse,
  agentAlgorithms,
  agentSignFlags,
  checkAgentSignature,
  identityMatcher,
  keyType,
  plainBlob,
} from "@postern/keys";
import { checkOptions } from "@postern/ssh";
import { type Bytes, equal, expectInteger, expectList, expectText, fromBase64, quote, SshError } from "@postern/wire";
import { agentError, withAgent } from "./agent-connection.ts";
import { sha256 } from "./algorithms.ts";
import { sha256Fingerprint } from "./keys.ts";

/** The pipe of OpenSSH for Windows. */
const windowsPipe = "\\\\.\\pipe\\openssh-ssh-agent";
/** Names in the error about identities that were left out. */
const maxNames = 8;

/** Options of {@link agent}. */
export interface AgentOptions {
  /**
   * A UNIX socket, or a named pipe of Windows. Default: `SSH_AUTH_SOCK` of the environment when the login begins, on
   * Windows otherwise `\\.\pipe\openssh-ssh-agent`.
   */
  readonly path?: string;
  /**
   * Offers only these identities, each given by its fingerprint `SHA256:…`, the line of its `.pub` file, or its
   * comment. Default: all, those first whose algorithm the server lists.
   */
  readonly identity?: string | readonly string[];
  /**
   * Lines of certificates (`.pub`) whose keys the agent holds. Each is offered before its key, and counts as an
   * identity. Others are ignored.
   */
  readonly certificate?: string | readonly string[];
  /**
   * How many identities to offer at most, because servers disconnect after a number of refusals. Default: 5, less one
   * for each earlier refusal, and for each later entry of `auth` but the next; at least 1.
   */
  readonly maxIdentities?: number;
}

/**
 * Logs in with the keys of an SSH agent: plain keys, certificates and hardware keys. The agent may ask its user, so
 * each key is queried first, and the user is asked only about a key that the server accepts. `loginTimeoutMs` of the
 * tunnel limits how long that may take.
 *
 * @throws SshError `misuse` for options of wrong types, `key` for a malformed fingerprint or line. The method fails
 *   with `credentials` if the agent cannot be reached, holds no such identity, refuses to sign, or sends malformed data
 * @example
 * const auth = [agent()];
 * const other = [agent({ path: "/run/user/1000/gcr/ssh", identity: "me@laptop" })];
 */
export function agent(options: AgentOptions = {}): AuthMethod {
  checkOptions("agent", options, ["path", "identity", "certificate", "maxIdentities"]);
  const { path, identity, certificate, maxIdentities } = options;
  if (path !== undefined) expectText("path", path);
  // The system would end the path there, and reach another socket.
  if (path?.includes("\0")) throw new SshError("misuse", "expected path without a NUL, got one");
  if (maxIdentities !== undefined) expectInteger("maxIdentities", maxIdentities, 1);
  const names = identity === undefined ? undefined : [identity].flat();
  if (names !== undefined) expectList("identity to hold texts", names, (one) => typeof one === "string" && one !== "");
  const matchers = names?.map((name) => identityMatcher(name, (bytes) => sha256.digest(bytes)));
  const lines = certificate === undefined ? [] : [certificate].flat();
  expectList("certificate to hold lines", lines, (one) => typeof one === "string" && one !== "");
  const certificates = lines.map(certificateBlob);
  return {
    name: "publickey",
    label: "agent",
    needsServerAlgorithms: true,
    begin: (context) => ({
      async next() {
        const at = path ?? defaultPath();
        const held = await listIdentities(at, context);
        const wanted = matchers ? held.filter((one) => matchers.some((matches) => matches(one))) : held;
        if (wanted.length === 0) {
          const got = held.map(nameOf).slice(0, maxNames).join(", ");
          throw agentError(at, `to hold the identity ${names?.map((name) => quote(name)).join(" or ")}, got ${got}`);
        }
        const certified = wanted.flatMap((one) => [...certificatesOf(one, certificates), one]);
        const ordered = byServer(certified, context.serverAlgorithms);
        const count = maxIdentities ?? Math.max(1, context.refusalsLeft);
        const methods = ordered.slice(0, count).map((one) => offer(at, context, one));
        const rest = ordered.slice(count);
        return rest.length === 0 ? methods : [...methods, leftOut(rest)];
      },
    }),
  };
}

/** A key of the agent, or a certificate of it. */
interface OfferedIdentity extends AgentIdentity {
  /** the key that the agent knows, if `publicKey` is a certificate of the program */
  readonly heldKey?: Bytes;
}

/** @throws SshError `key` for a line that is none of a certificate */
function certificateBlob(line: string): Bytes {
  const [type = "", base64 = ""] = line.trim().split(/\s+/);
  const problem = (cause?: unknown) =>
    new SshError("key", `expected certificate to be the line of a certificate, got ${quote(type, 60)}`, { cause });
  if (!type.includes("-cert-")) throw problem();
  try {
    const blob = fromBase64(base64);
    plainBlob(blob);
    return blob;
  } catch (cause) {
    throw problem(cause);
  }
}

function certificatesOf(held: AgentIdentity, certificates: readonly Bytes[]): readonly OfferedIdentity[] {
  return certificates
    .filter((blob) => equal(plainBlob(blob), held.publicKey))
    .map((publicKey) => ({ ...held, publicKey, heldKey: held.publicKey }));
}

function defaultPath(): string {
  const { SSH_AUTH_SOCK: path } = process.env;
  if (path) return path;
  if (process.platform === "win32") return windowsPipe;
  const words = "expected SSH_AUTH_SOCK to name the socket of an agent, got nothing: run ssh-agent, or set `path`";
  throw new SshError("credentials", words);
}

async function listIdentities(path: string, context: AuthContext): Promise<readonly AgentIdentity[]> {
  const answer = await withAgent(path, context, (ask) => ask(AgentRequestIdentities.encode({})));
  const { identities } = decoded(path, AgentIdentitiesAnswer, answer, "to list its identities");
  const usable = identities.filter(({ publicKey }) => typeOf(publicKey) !== undefined);
  // A locked agent of OpenSSH shows an empty list.
  if (usable.length > 0) return usable;
  const hint = "add one with ssh-add, or unlock the agent with ssh-add -X";
  throw agentError(path, `to hold an identity, got none that this server may use: ${hint}`);
}

/** Decodes an answer. A message of another type is a refusal. */
function decoded<T>(
  path: string,
  codec: { readonly number: number; decode(bytes: Bytes): T },
  answer: Bytes,
  purpose: string,
  reasons = "it may be locked",
): T {
  if (answer[0] !== codec.number) throw agentError(path, `${purpose}, got a refusal: ${reasons}`);
  try {
    return codec.decode(answer);
  } catch (cause) {
    throw agentError(path, `${purpose}, got malformed data: ${(cause as Error).message}`, cause);
  }
}

/** Returns the type of a key that we can use, or `undefined` for a malformed one and for DSA. */
function typeOf(publicKey: Bytes): string | undefined {
  try {
    plainBlob(publicKey);
    const type = keyType(publicKey);
    return agentAlgorithms(type).length > 0 ? type : undefined;
  } catch {
    return undefined;
  }
}

/** Moves identities to the end that the server's list does not support. It may be incomplete, so they stay. */
function byServer(identities: readonly OfferedIdentity[], listed: readonly string[] | undefined): OfferedIdentity[] {
  if (listed === undefined) return [...identities];
  const isListed = ({ publicKey }: AgentIdentity): boolean =>
    agentAlgorithms(keyType(plainBlob(publicKey))).some((name) => listed.includes(name));
  return [...identities.filter(isListed), ...identities.filter((one) => !isListed(one))];
}

/** Each signature has its own connection, so none is left open when the login ends. */
function offer(path: string, context: AuthContext, identity: OfferedIdentity): AuthMethod {
  const { publicKey, heldKey = publicKey } = identity;
  const label = `publickey ${nameOf(identity)}`;
  const sign = async (data: Bytes, algorithm: string): Promise<Bytes> => {
    const request = AgentSignRequest.encode({ publicKey: heldKey, data, flags: agentSignFlags(algorithm) });
    const answer = await withAgent(path, context, (ask) => ask(request));
    const purpose = `to sign with ${nameOf(identity)}`;
    const reasons = "its user declined, it is locked, or the key is not for this server";
    const { signature } = decoded(path, AgentSignResponse, answer, purpose, reasons);
    try {
      return checkAgentSignature(signature, algorithm);
    } catch (cause) {
      throw agentError(path, `${purpose}: ${(cause as Error).message}`, cause);
    }
  };
  const signer: Signer = { publicKey, algorithms: agentAlgorithms(keyType(publicKey)), sign };
  return publickey(signer, { query: true, label });
}

/** Comes after the identities that were offered. It only explains why the others were not. */
function leftOut(identities: readonly AgentIdentity[]): AuthMethod {
  const names = identities.slice(0, maxNames).map(nameOf).join(", ");
  const more = identities.length > maxNames ? ` and ${identities.length - maxNames} more` : "";
  return {
    name: "publickey",
    label: "agent",
    begin: () => ({
      next() {
        const hint = "choose with `identity`, or set `maxIdentities`";
        throw new SshError("auth", `did not offer ${names}${more}, because servers limit refusals: ${hint}`);
      },
    }),
  };
}

function nameOf({ publicKey, comment }: AgentIdentity): string {
  return comment === "" ? sha256Fingerprint(plainBlob(publicKey)) : quote(comment, 40);
}
