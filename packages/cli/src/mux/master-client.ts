/** The dialog of a master with one client of its socket (OpenSSH PROTOCOL.mux). @module */
import type { Socket } from "node:net";
import { type Bytes, SshError, utf8 } from "@postern/wire";
import type { MasterContext } from "./context.ts";
import { describeForward, type MuxForward } from "./forward.ts";
import { decodeForward } from "./forward-fields.ts";
import type { ForwardTable } from "./forward-table.ts";
import { createMuxReader, encodeMuxFrame } from "./frames.ts";
import {
  MuxAlive,
  MuxAliveCheck,
  MuxCloseFwd,
  MuxFailure,
  MuxHello,
  MuxInfo,
  MuxInfoRequest,
  MuxNewSession,
  MuxNewStdioFwd,
  MuxOk,
  MuxOpenFwd,
  MuxPermissionDenied,
  MuxProxy,
  MuxProxyReply,
  MuxRemotePort,
  MuxStopListening,
  MuxTerminate,
  muxInfo,
  muxVersion,
  readMuxHeader,
  robustProxy,
} from "./messages.ts";

/** The master, as its clients see it. */
export interface MasterOfClient {
  readonly forwards: ForwardTable;
  /** Removes the socket. Clients that are connected stay connected. */
  stopListening(): void;
  /** Speaks the connection protocol with the client from now on (section 9). */
  proxy(socket: Socket): void;
}

/** Node.js cannot receive file descriptors. ssh prints this, and then connects by itself, unless it was given -W. */
const noDescriptors = "this master does not take file descriptors, only forwardings and -O proxy";

/** Serves one client. Requests are answered one after the other. */
export class MasterClient {
  readonly #socket: Socket;
  readonly #context: MasterContext;
  readonly #master: MasterOfClient;
  readonly #reader = createMuxReader();
  #at: "hello" | "requests" | "over" = "hello";
  #busy = false;

  /** @param socket paused (takes) */
  constructor(socket: Socket, context: MasterContext, master: MasterOfClient) {
    this.#socket = socket;
    this.#context = context;
    this.#master = master;
    socket.on("data", this.#received);
    socket.on("end", this.#ended);
    const extensions = [robustProxy, "", muxInfo, "0"].map(utf8);
    socket.write(encodeMuxFrame(MuxHello.encode({ version: muxVersion, extensions })));
    socket.resume();
  }

  readonly #received = (chunk: Bytes): void => {
    this.#reader.push(chunk);
    void this.#serve();
  };

  /** The client sends nothing more. It gets the answers to what it has sent. */
  readonly #ended = (): void => {
    if (!this.#busy) this.#socket.end();
  };

  async #serve(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    this.#socket.pause();
    try {
      for (let message = this.#next(); message !== undefined; message = this.#next()) await this.#handle(message);
    } catch (error) {
      this.#context.log("error", `mux master: ${(error as Error).message}`);
      this.#end();
    } finally {
      this.#busy = false;
    }
    if (this.#at === "over") return;
    if (this.#socket.readableEnded) this.#socket.end();
    else this.#socket.resume();
  }

  #next(): Bytes | undefined {
    return this.#at === "over" ? undefined : this.#reader.next();
  }

  #end(): void {
    this.#at = "over";
    this.#socket.destroy();
  }

  async #handle(message: Bytes): Promise<void> {
    const { type, requestId } = readMuxHeader(message);
    const { pid, host } = this.#context;
    if (this.#at === "hello") return this.#hello(message);
    switch (type) {
      case MuxAliveCheck.type:
        MuxAliveCheck.decode(message);
        return await this.#send(MuxAlive.encode({ requestId, pid }));
      case MuxOpenFwd.type:
        return await this.#openForward(requestId, decodeForward(MuxOpenFwd.decode(message)));
      case MuxCloseFwd.type:
        return await this.#closeForward(requestId, decodeForward(MuxCloseFwd.decode(message)));
      case MuxStopListening.type:
        MuxStopListening.decode(message);
        if (!(await this.#allows(requestId, `Disable further multiplexing on shared connection to ${host}? `))) return;
        this.#master.stopListening();
        await this.#send(MuxOk.encode({ requestId }));
        return this.#context.stopped();
      case MuxTerminate.type:
        MuxTerminate.decode(message);
        if (!(await this.#allows(requestId, `Terminate shared connection to ${host}? `))) return;
        await this.#send(MuxOk.encode({ requestId }));
        return this.#context.exit();
      case MuxInfoRequest.type:
        return await this.#describe(requestId, MuxInfoRequest.decode(message).kind);
      case MuxProxy.type:
        MuxProxy.decode(message);
        return await this.#proxy(requestId);
      case MuxNewSession.type:
        MuxNewSession.decode(message);
        // Each descriptor comes with one byte. The system has closed the descriptors, because no call received them.
        this.#reader.skip(3);
        return await this.#fail(requestId, noDescriptors);
      case MuxNewStdioFwd.type:
        MuxNewStdioFwd.decode(message);
        this.#reader.skip(2);
        return await this.#fail(requestId, noDescriptors);
      default:
        this.#context.log("error", `mux master: unsupported mux message 0x${type.toString(16).padStart(8, "0")}`);
        return await this.#fail(requestId, "unsupported request");
    }
  }

  #hello(message: Bytes): void {
    const { version } = MuxHello.decode(message);
    if (version !== muxVersion) {
      throw new SshError("version", `unsupported multiplexing protocol version ${version} (expected ${muxVersion})`);
    }
    this.#at = "requests";
  }

  async #openForward(requestId: number, forward: MuxForward | undefined): Promise<void> {
    const { forwards } = this.#master;
    if (forward === undefined) return await this.#fail(requestId, "Invalid forwarding request");
    const name = describeForward(forward);
    if (!forwards.has(forward) && !(await this.#allows(requestId, `Open ${name} on ${this.#context.host}?`))) return;
    try {
      const { allocatedPort } = await forwards.open(forward);
      const isAllocated = forward.type === "remote" && "port" in forward.listen && forward.listen.port === 0;
      if (isAllocated) await this.#send(MuxRemotePort.encode({ requestId, port: allocatedPort ?? 0 }));
      else await this.#send(MuxOk.encode({ requestId }));
    } catch (error) {
      this.#context.log("info", `requested ${name} failed: ${(error as Error).message}`);
      await this.#fail(requestId, forward.type === "remote" ? remoteFailure(forward) : "Port forwarding failed");
    }
  }

  async #closeForward(requestId: number, forward: MuxForward | undefined): Promise<void> {
    try {
      if (forward !== undefined && (await this.#master.forwards.close(forward)))
        await this.#send(MuxOk.encode({ requestId }));
      else await this.#fail(requestId, "port not forwarded");
    } catch (error) {
      this.#context.log("error", `cancelling a forwarding failed: ${(error as Error).message}`);
      await this.#fail(requestId, forward?.type === "remote" ? "port not in permitted opens" : "port not found");
    }
  }

  async #describe(requestId: number, kind: string): Promise<void> {
    const text = this.#context.describe?.(kind);
    const refusal = { success: 0, text: "info request type not supported" };
    await this.#send(MuxInfo.encode({ requestId, ...(text === undefined ? refusal : { success: 1, text }) }));
  }

  async #proxy(requestId: number): Promise<void> {
    if (!(await this.#allows(requestId, `Allow shared connection to ${this.#context.host}? `))) return;
    if (this.#context.connection() === undefined) return await this.#fail(requestId, "not connected to the server");
    await this.#send(MuxProxyReply.encode({ requestId }));
    this.#at = "over";
    this.#socket.off("data", this.#received).off("end", this.#ended);
    const rest = this.#reader.takeRest();
    if (rest.length > 0) this.#socket.unshift(rest);
    this.#master.proxy(this.#socket);
  }

  /** Asks the user if they wanted to be asked. Answers the request if they refuse. */
  async #allows(requestId: number, question: string): Promise<boolean> {
    if (this.#context.confirm === undefined || (await this.#context.confirm(question))) return true;
    await this.#send(MuxPermissionDenied.encode({ requestId, reason: "Permission denied" }));
    return false;
  }

  async #fail(requestId: number, reason: string): Promise<void> {
    await this.#send(MuxFailure.encode({ requestId, reason }));
  }

  /** Resolves when the system has taken the message, so that a client that does not read gets no more answers. */
  async #send(message: Bytes): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#socket.write(encodeMuxFrame(message), () => resolve());
    });
  }
}

function remoteFailure({ listen }: MuxForward): string {
  const place = "path" in listen ? `path ${listen.path}` : `port ${listen.port}`;
  return `remote port forwarding failed for listen ${place}`;
}
