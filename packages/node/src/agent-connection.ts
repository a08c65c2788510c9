/** A connection to an SSH agent (draft-ietf-sshm-ssh-agent), bound to the session that it signs for. @module */
import { connect, type Socket } from "node:net";
import type { AuthContext } from "@postern/auth";
import { AgentExtension, AgentFrameReader, AgentReply, AgentSessionBind, encodeAgentFrame } from "@postern/keys";
import { onAbort } from "@postern/ssh";
import { type Bytes, quote, SshError } from "@postern/wire";
import { reasonOf } from "./dial.ts";

/** Sends a request and resolves with the answer. Agents answer in order, so one is sent at a time. */
export type Ask = (request: Bytes) => Promise<Bytes>;

/**
 * Connects, binds the connection to the session (OpenSSH PROTOCOL.agent section 1), and calls `use`. Binding lets the
 * agent enforce the destinations of its keys, and hide those for other servers. The connection is closed afterwards.
 *
 * @throws SshError `credentials` if the agent cannot be reached, ends the connection or sends malformed data; errors of
 *   `use` as they are; the reason of `context.signal`
 */
export async function withAgent<T>(path: string, context: AuthContext, use: (ask: Ask) => Promise<T>): Promise<T> {
  const { hostKey, sessionId, signature, signal } = context;
  signal?.throwIfAborted();
  const agent = new AgentConnection(path);
  const unlisten = onAbort(signal, () => agent.close(signal?.reason));
  try {
    const contents = AgentSessionBind.encode({ hostKey, sessionId, signature, isForwarding: false });
    const request = AgentExtension.encode({ name: "session-bind@openssh.com", contents });
    const [answer] = await agent.ask(request);
    // Agents that do not know the extension refuse it. They cannot hold keys that need it.
    if (answer !== AgentReply.success && answer !== AgentReply.failure && answer !== AgentReply.extensionFailure) {
      throw agentError(path, `to answer a request, got message ${answer}`);
    }
    return await use((message) => agent.ask(message));
  } finally {
    unlisten();
    agent.close();
  }
}

/** An error of our own source of credentials. The server has not refused anything. */
export function agentError(path: string, words: string, cause?: unknown): SshError {
  return new SshError("credentials", `expected the agent at ${quote(path)} ${words}`, { cause });
}

class AgentConnection {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #reader = new AgentFrameReader();
  #pending: { readonly resolve: (answer: Bytes) => void; readonly reject: (error: unknown) => void } | undefined;
  #end: { readonly error: unknown } | undefined;
  #connected = false;

  constructor(path: string) {
    this.#path = path;
    this.#socket = connect({ path });
    this.#socket.on("connect", () => {
      this.#connected = true;
    });
    this.#socket.on("data", (chunk: Bytes) => this.#receive(chunk));
    this.#socket.on("error", (cause) => {
      const reached = this.#connected ? "to answer" : "to be reached";
      this.close(agentError(this.#path, `${reached}, got ${reasonOf(cause)}: is it running?`, cause));
    });
    this.#socket.on("close", () => this.close(agentError(this.#path, "to answer, got the end of the connection")));
  }

  ask(request: Bytes): Promise<Bytes> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end.error);
      this.#pending = { resolve, reject };
      this.#socket.write(encodeAgentFrame(request));
    });
  }

  /** The first call ends the connection, and rejects the pending request. */
  close(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#pending?.reject(error);
    this.#pending = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Bytes): void {
    if (this.#end !== undefined) return;
    try {
      const pending = this.#pending;
      if (pending === undefined) throw new SshError("protocol", "got data that was not asked for");
      const answer = this.#reader.receive(chunk);
      if (answer === undefined) return;
      this.#pending = undefined;
      pending.resolve(answer);
    } catch (cause) {
      this.close(agentError(this.#path, `to follow its protocol: ${(cause as Error).message}`, cause));
    }
  }
}
