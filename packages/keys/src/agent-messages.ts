/**
 * The messages of SSH agents, in the order of draft-ietf-sshm-ssh-agent section 3, and the extension of OpenSSH's
 * PROTOCOL.agent. Not those that add or remove keys.
 * @module
 */
import {
  type Bytes,
  boolean,
  type Codec,
  counted,
  type Field,
  getUint32,
  type Message,
  message,
  record,
  rest,
  SshError,
  string,
  text,
  uint32,
  Writer,
} from "@postern/wire";

/** Limits of an answer, the same as in OpenSSH. */
const AgentLimits = { messageBytes: 262_144, identities: 2048 } as const;

/** An answer without fields: section 3.1 and, for extensions, section 3.8.2. */
export const AgentReply = { failure: 5, success: 6, extensionFailure: 28 } as const;

/** A key that an agent holds (section 3.5). */
export interface AgentIdentity {
  /** the blob of a public key or of a certificate */
  readonly publicKey: Bytes;
  /** as given when the key was added, such as `me@laptop` or the name of its file */
  readonly comment: string;
}

const identity: Field<AgentIdentity> = {
  read: (reader) => ({ publicKey: reader.string(), comment: reader.text() }),
  write: (writer, value) => writer.string(value.publicKey).text(value.comment),
};

/** Section 3.5 */
export const AgentRequestIdentities: Message<object> = /* @__PURE__ */ message(11, "SSH_AGENTC_REQUEST_IDENTITIES", {});
/** Section 3.5 */
export const AgentIdentitiesAnswer: Message<{ readonly identities: readonly AgentIdentity[] }> =
  /* @__PURE__ */ message(12, "SSH_AGENT_IDENTITIES_ANSWER", {
    identities: /* @__PURE__ */ counted(identity, AgentLimits.identities, "identities of an agent"),
  });
/** Section 3.6 */
export const AgentSignRequest: Message<{ readonly publicKey: Bytes; readonly data: Bytes; readonly flags: number }> =
  /* @__PURE__ */ message(13, "SSH_AGENTC_SIGN_REQUEST", { publicKey: string, data: string, flags: uint32 });
/** Section 3.6 */
export const AgentSignResponse: Message<{ readonly signature: Bytes }> = /* @__PURE__ */ message(
  14,
  "SSH_AGENT_SIGN_RESPONSE",
  { signature: string },
);
/** Section 3.8 */
export const AgentExtension: Message<{ readonly name: string; readonly contents: Bytes }> = /* @__PURE__ */ message(
  27,
  "SSH_AGENTC_EXTENSION",
  { name: text, contents: rest },
);
/** PROTOCOL.agent section 1: the contents of the extension that binds a connection to an SSH session. */
export const AgentSessionBind: Codec<{
  readonly hostKey: Bytes;
  readonly sessionId: Bytes;
  /** of the session identifier, by the host key */
  readonly signature: Bytes;
  readonly isForwarding: boolean;
}> = /* @__PURE__ */ record("session-bind@openssh.com", {
  hostKey: string,
  sessionId: string,
  signature: string,
  isForwarding: boolean,
});

/** Puts the length before a message (section 3). */
export function encodeAgentFrame(content: Bytes): Bytes {
  return new Writer(4 + content.length).string(content).finish();
}

/** Collects one message of an agent from the chunks of a stream. It never holds more than one message. */
export class AgentFrameReader {
  readonly #header = new Uint8Array(4);
  /** `undefined` until the length is known */
  #content: Bytes | undefined;
  /** bytes received */
  #at = 0;

  /** Whether a part of a message has come. */
  get started(): boolean {
    return this.#at > 0;
  }

  /**
   * Adds a chunk (copies). Returns the message once it is complete, otherwise `undefined`.
   * @throws SshError `limit` for a message of more than 256 KiB, `protocol` for an empty one, or for bytes
   *   after its end, because we ask one thing at a time
   */
  receive(chunk: Bytes): Bytes | undefined {
    const head = chunk.subarray(0, Math.max(0, 4 - this.#at));
    this.#header.set(head, Math.min(this.#at, 4));
    this.#at += head.length;
    if (this.#at < 4) return undefined;
    this.#content ??= contentOf(getUint32(this.#header, 0));
    const content = this.#content;
    const rest = chunk.subarray(head.length);
    if (rest.length > content.length + 4 - this.#at) {
      throw new SshError("protocol", "expected one answer of the agent, got more bytes after it");
    }
    content.set(rest, this.#at - 4);
    this.#at += rest.length;
    if (this.#at < content.length + 4) return undefined;
    this.#at = 0;
    this.#content = undefined;
    return content;
  }
}

function contentOf(size: number): Bytes {
  const { messageBytes } = AgentLimits;
  if (size > messageBytes) {
    throw new SshError("limit", `expected a message of the agent of at most ${messageBytes} bytes, got ${size}`);
  }
  if (size === 0) throw new SshError("protocol", "expected a message of the agent, got an empty one");
  return new Uint8Array(size);
}
