/** AddKeysToAgent: keys that the user unlocked go to the agent (draft-ietf-sshm-ssh-agent). @module */
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { type ResolvedSshConfig, rewritePrivateKey } from "@postern/node";
import { type Bytes, fromBase64, Reader, Writer } from "@postern/wire";

/** Options of {@link addToAgent}. */
export interface AddToAgentOptions {
  readonly config: Pick<ResolvedSshConfig, "addKeysToAgent" | "identityAgent">;
  readonly path: string;
  readonly passphrase: string;
  /** `AddKeysToAgent ask` */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Receives a line for the log. */
  readonly debug: (line: string) => void;
}

/** Messages and constraints (sections 5.1 and 5.2). */
const addIdentity = 17;
const addConstrainedIdentity = 25;
const lifetimeConstraint = 1;
const confirmConstraint = 2;
const success = 6;

/** Strings of a private key after its type (RFC 8709, RFC 5656, RFC 8017). */
const privateFields: Readonly<Record<string, number>> = {
  "ssh-ed25519": 2,
  "ecdsa-sha2-nistp256": 3,
  "ecdsa-sha2-nistp384": 3,
  "ecdsa-sha2-nistp521": 3,
  "ssh-rsa": 6,
};

/** An agent that does not answer must not delay a login for longer. */
const timeoutMs = 5_000;

/** Adds a key as AddKeysToAgent says. As in ssh, a failure is a line of the log, and the login goes on. */
export async function addToAgent({ config, path, passphrase, confirm, debug }: AddToAgentOptions): Promise<void> {
  const { mode, lifetime } = config.addKeysToAgent ?? { mode: "no", lifetime: 0 };
  const socket = agentSocket(config.identityAgent);
  if (mode === "no" || socket === undefined) return;
  try {
    const { text, comment } = await rewritePrivateKey(await readFile(path), { passphrase, newPassphrase: "" });
    const name = comment === "" ? path : comment;
    if (mode === "ask" && !(await confirm(`Add key ${path} (${name}) to agent?`))) return;
    const key = privateKey(text);
    const request = encodeAddition(key, name, { lifetime, confirms: mode === "confirm" });
    key.fill(0);
    const answer = await askAgent(socket, request);
    if (answer !== success) throw new Error("agent refused operation");
    debug(`identity added to agent: ${path}`);
  } catch (error) {
    debug(`could not add identity to agent: ${(error as Error).message}`);
  }
}

/** The path of IdentityAgent, or of SSH_AUTH_SOCK. */
function agentSocket(identityAgent = "SSH_AUTH_SOCK"): string | undefined {
  if (identityAgent.toLowerCase() === "none") return undefined;
  const isVariable = identityAgent === "SSH_AUTH_SOCK" || identityAgent.startsWith("$");
  return (isVariable ? process.env[identityAgent.replace(/^\$/, "")] : identityAgent) || undefined;
}

/** Returns type and fields of the key in a file of OpenSSH without a passphrase (PROTOCOL.key). */
function privateKey(text: string): Bytes {
  const file = new Reader(fromBase64(text.replace(/-----[^-]*-----|\s/g, "")), "private key");
  file.raw("openssh-key-v1\0".length);
  // Cipher, KDF and its options; one key; its public half.
  for (let i = 0; i < 3; i++) file.string();
  file.uint32();
  file.string();
  const section = file.string();
  const reader = new Reader(section, "private key");
  // The number twice, which shows whether the passphrase was right.
  reader.raw(8);
  const type = reader.text();
  const count = privateFields[type];
  if (count === undefined) throw new Error(`keys of type ${type} cannot be added`);
  for (let i = 0; i < count; i++) reader.string();
  return section.subarray(8, section.length - reader.rest().length);
}

function encodeAddition(
  key: Bytes,
  comment: string,
  { lifetime, confirms }: { readonly lifetime: number; readonly confirms: boolean },
): Bytes {
  const isConstrained = lifetime > 0 || confirms;
  // Large enough, so that no part of the key is left behind when the memory grows.
  const writer = new Writer(key.length + 3 * comment.length + 64);
  writer
    .byte(isConstrained ? addConstrainedIdentity : addIdentity)
    .raw(key)
    .text(comment);
  if (lifetime > 0) writer.byte(lifetimeConstraint).uint32(lifetime);
  if (confirms) writer.byte(confirmConstraint);
  return writer.finish();
}

/** Sends a request, and clears it. Resolves with the type of the answer. */
function askAgent(path: string, request: Bytes): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    let answer = Buffer.alloc(0);
    const clear = (): unknown => request.fill(0);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error("the agent does not answer")));
    let failure: Error | undefined;
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("close", () => {
      clear();
      if (failure === undefined) resolve(answer[4]);
      else reject(failure);
    });
    socket.on("data", (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]).subarray(0, 5);
      if (answer.length === 5) socket.destroy();
    });
    socket.write(new Writer(4).uint32(request.length).finish());
    socket.write(request, clear);
  });
}
