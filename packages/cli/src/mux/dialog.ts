/** The requests of a client to a master, and its answers (OpenSSH PROTOCOL.mux). @module */
import { connect, type Socket } from "node:net";
import { type Deferred, deferred } from "@postern/ssh";
import { type Bytes, fromUtf8, maxTimerMs, SshError, sanitizeText } from "@postern/wire";
import { errorText, pathSize } from "./control-socket.ts";
import type { MuxForward } from "./forward.ts";
import { encodeForward } from "./forward-fields.ts";
import { createMuxReader, encodeMuxFrame } from "./frames.ts";
import {
  MuxAlive,
  MuxAliveCheck,
  MuxCloseFwd,
  MuxFailure,
  MuxHello,
  MuxInfo,
  MuxInfoRequest,
  type MuxMessage,
  MuxOk,
  MuxOpenFwd,
  MuxPermissionDenied,
  MuxProxy,
  MuxProxyReply,
  MuxRemotePort,
  type MuxRequest,
  MuxStopListening,
  MuxTerminate,
  muxInfo,
  muxVersion,
  readMuxHeader,
  robustProxy,
} from "./messages.ts";

/** A connection to a master. One request is sent at a time. */
export class MuxDialog {
  readonly #socket: Socket;
  readonly #reader = createMuxReader();
  #waiting: Deferred<Bytes> | undefined;
  #end: SshError | undefined;
  #requestId = 0;
  #hasRobustProxy = false;
  #hasInfo = false;

  /**
   * Connects to a control path, and exchanges the versions. As in ssh 10, ConnectTimeout (`timeoutMs`) bounds only
   * this: a later answer may wait for a person, whom the master asks.
   * @throws SshError `connect`, with the system's error as its cause; `version`; `protocol`; `timeout`
   */
  static async connect(path: string, timeoutMs?: number): Promise<MuxDialog> {
    if (Buffer.byteLength(path) >= pathSize)
      throw new SshError("connect", `ControlPath too long ('${path}' >= ${pathSize} bytes)`);
    const socket = connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", (cause) => {
        const message = `Control socket connect(${path.slice(0, 100)}): ${errorText(cause)}`;
        reject(new SshError("connect", message, { cause }));
      });
    });
    const dialog = new MuxDialog(socket);
    const late = (): void => {
      dialog.#end = new SshError("timeout", "muxclient: master hello exchange failed");
      dialog.close();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(late, Math.min(timeoutMs, maxTimerMs));
    try {
      await dialog.#hello();
    } catch (error) {
      dialog.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return dialog;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", this.#received);
    socket.on("error", () => {});
    socket.on("close", this.#closed);
  }

  /** Whether channels that the server refuses in proxy mode leave the master alive: it is one of ours. */
  get hasRobustProxy(): boolean {
    return this.#hasRobustProxy;
  }

  /** Returns the process id of the master (section 4). */
  async check(): Promise<number> {
    const answer = await this.#request(MuxAliveCheck, {});
    return this.#expect(MuxAlive, answer, "alive check", "mux_client_request_alive").pid;
  }

  /**
   * Returns a kind of information about the connection, in lines.
   * @throws SshError `refused` if the master does not have it
   */
  async describe(kind: "connection" | "channels"): Promise<string> {
    if (!this.#hasInfo) throw new SshError("refused", "mux server does not support info request");
    const answer = await this.#request(MuxInfoRequest, { kind });
    const { success, text } = this.#expect(MuxInfo, answer, "info request", "mux_client_request_info");
    if (success !== 1) throw new SshError("refused", `mux_client_request_info: ${sanitizeText(text)}`);
    return text
      .split("\r\n")
      .map((line) => sanitizeText(line))
      .join("\r\n");
  }

  /** Asks the master to end (section 5). A master that ends without an answer is fine, too. */
  async terminate(): Promise<void> {
    try {
      this.#expect(MuxOk, await this.#request(MuxTerminate, {}), "termination request", "mux_client_request_terminate");
    } catch (error) {
      if (!(error instanceof SshError) || error.code !== "closed") throw error;
    }
  }

  /**
   * Opens a forwarding (section 6). Returns the port that the server chose, for a remote forwarding of port 0.
   * @throws SshError `refused` or `denied` with the reason of the master, after which the dialog continues
   */
  async openForward(forward: MuxForward): Promise<number | undefined> {
    const answer = await this.#request(MuxOpenFwd, encodeForward(forward));
    if (readMuxHeader(answer).type === MuxRemotePort.type) {
      return MuxRemotePort.decode(answer).port;
    }
    this.#expect(MuxOk, answer, "forwarding request", "mux_client_forward");
    return undefined;
  }

  /** Closes a forwarding (section 7). @throws SshError as `openForward` does */
  async closeForward(forward: MuxForward): Promise<void> {
    this.#expect(
      MuxOk,
      await this.#request(MuxCloseFwd, encodeForward(forward)),
      "forwarding request",
      "mux_client_forward",
    );
  }

  /** Asks the master to accept no more clients (section 8). */
  async stopListening(): Promise<void> {
    this.#expect(
      MuxOk,
      await this.#request(MuxStopListening, {}),
      "stop listening request",
      "mux_client_request_stop_listening",
    );
  }

  /** Begins the proxy mode (section 9). Returns the socket, which now carries the connection protocol (gives). */
  async proxy(): Promise<Socket> {
    this.#expect(MuxProxyReply, await this.#request(MuxProxy, {}), "proxy request", "mux_client_proxy");
    this.#socket.pause();
    this.#socket.off("data", this.#received).off("close", this.#closed);
    const rest = this.#reader.takeRest();
    if (rest.length > 0) this.#socket.unshift(rest);
    return this.#socket;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #hello(): Promise<void> {
    this.#write(MuxHello.encode({ version: muxVersion, extensions: [] }));
    const { version, extensions } = MuxHello.decode(await this.#answer());
    const names = extensions.filter((_, index) => index % 2 === 0).map(fromUtf8);
    this.#hasRobustProxy = names.includes(robustProxy);
    this.#hasInfo = names.includes(muxInfo);
    if (version === muxVersion) return;
    throw new SshError("version", `Unsupported multiplexing protocol version ${version} (expected ${muxVersion})`);
  }

  async #request<V extends MuxRequest>(message: MuxMessage<V>, fields: Omit<V, "requestId">): Promise<Bytes> {
    this.#write(message.encode({ ...fields, requestId: this.#requestId } as V));
    const answer = await this.#answer();
    const { requestId } = readMuxHeader(answer);
    if (requestId !== this.#requestId) {
      throw new SshError("protocol", `out of sequence reply: my id ${this.#requestId} theirs ${requestId}`);
    }
    this.#requestId++;
    return answer;
  }

  /**
   * ssh puts the name of its function before some messages.
   * @throws SshError `denied` or `refused` with the reason of the master, `protocol` for another message
   */
  #expect<V>(expected: MuxMessage<V>, answer: Bytes, what: string, prefix: string): V {
    const { type } = readMuxHeader(answer);
    switch (type) {
      case expected.type:
        return expected.decode(answer);
      case MuxPermissionDenied.type:
        throw new SshError("denied", `Master refused ${what}: ${reasonIn(MuxPermissionDenied.decode(answer))}`);
      case MuxFailure.type:
        throw new SshError("refused", `${prefix}: ${what} failed: ${reasonIn(MuxFailure.decode(answer))}`);
      default:
        throw new SshError("protocol", `unexpected response from master 0x${type.toString(16).padStart(8, "0")}`);
    }
  }

  #write(message: Bytes): void {
    if (this.#end === undefined) this.#socket.write(encodeMuxFrame(message));
  }

  async #answer(): Promise<Bytes> {
    if (this.#end !== undefined) throw this.#end;
    const waiting = deferred<Bytes>();
    this.#waiting = waiting;
    this.#deliver();
    return await waiting.promise;
  }

  readonly #received = (chunk: Bytes): void => {
    this.#reader.push(chunk);
    this.#deliver();
  };

  readonly #closed = (): void => {
    this.#end ??= new SshError("closed", "read from master failed: Broken pipe");
    this.#waiting?.reject(this.#end);
  };

  /** Passes the next message to the request that waits. Without one, it stays in the reader. */
  #deliver(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    try {
      const message = this.#reader.next();
      if (message === undefined) return;
      this.#waiting = undefined;
      waiting.resolve(message);
    } catch (error) {
      this.#end = error as SshError;
      this.#waiting = undefined;
      waiting.reject(error);
      this.#socket.destroy();
    }
  }
}

/** The reason may hold anything that a client of the master can make it say. */
function reasonIn({ reason }: { readonly reason: string }): string {
  return sanitizeText(reason);
}
