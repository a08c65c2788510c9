/** The ports and UNIX sockets that the server listens on for one client (RFC 4254 section 7.1). @module */
import type { SshConnection } from "@postern/ssh";
import { type Bytes, quote, SshError, sanitizeText, TcpipForwardReply } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { bindAddresses } from "./addresses.ts";
import type { HostForwarding } from "./client-view.ts";
import { HostForwardingEvent, RefusalEvent } from "./events.ts";
import { Forwarding, type ForwardingContext, type Requested } from "./forwarding.ts";
import type { Exceeded } from "./host-budget.ts";
import type { ClientContext } from "./host-context.ts";
import type { ClientGrants } from "./permissions.ts";
import type { Address } from "./platform.ts";
import type { TakeoverClient } from "./takeover.ts";

/** The result of an asynchronous request that succeeded. */
export interface Outcome {
  readonly reply?: Bytes | undefined;
  /** Called after the reply has been sent. */
  readonly after?: () => void | Promise<void>;
}

/** The services of the client that its forwardings use. */
export interface ForwardingsContext extends ForwardingContext {
  readonly isClosing: boolean;
  grants(): ClientGrants | undefined;
  /** The client knows the port. */
  forwardingOpened(forwarding: HostForwarding): void;
}

/** The forwardings of one client. */
export class ClientForwardings {
  readonly #client: TakeoverClient;
  readonly #host: ClientContext;
  readonly #context: ForwardingsContext;
  readonly #forwardings = new Set<Forwarding>();

  constructor(client: TakeoverClient, host: ClientContext, context: ForwardingsContext) {
    this.#client = client;
    this.#host = host;
    this.#context = context;
  }

  get list(): readonly HostForwarding[] {
    return [...this.#forwardings];
  }

  /** Answers `tcpip-forward` and `streamlocal-forward@openssh.com`. @throws SshError `refused` */
  async listen(requested: Requested, wantReply: boolean, connection: SshConnection): Promise<Outcome> {
    if (this.#context.isClosing) throw this.#refused(requested, "the server is closing");
    const refusal = await this.#refusal(requested, wantReply);
    if (refusal !== undefined) {
      // Sent before the refusal, which carries no reason: without one, clients retry as they do when a port is in use.
      connection.debug(`${refusal.reason}: ${placeText(requested)}`);
      throw this.#refused(requested, refusal.reason, refusal.limit);
    }
    const { ports } = this.#host;
    let exceeded = await ports.take(this.#client);
    // The silent connection may hold the user's last port, which is this one.
    if (exceeded !== undefined && (await this.#takeOver(requested))) exceeded = await ports.take(this.#client);
    // The client may retry, because another connection of the user may free a port.
    if (exceeded !== undefined) throw this.#refused(requested, exceeded.reason, exceeded.limit);
    try {
      return await this.#listen(requested, connection);
    } catch (error) {
      ports.giveBack(this.#client);
      throw error;
    }
  }

  /** Answers the requests that cancel these. @throws SshError `refused` if there is no such forwarding */
  async cancel(requested: Requested): Promise<Outcome> {
    // As sshd does: the address must equal the requested one, the port must be the assigned one.
    const forwarding = this.#find(requested);
    if (forwarding === undefined) {
      throw new SshError("refused", `expected a forwarding of ${placeText(requested)}, got none`);
    }
    await this.#close(forwarding);
    return {};
  }

  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.#forwardings].map((forwarding) => this.#close(forwarding)));
  }

  async #listen(requested: Requested, connection: SshConnection): Promise<Outcome> {
    // Answers of another process take time.
    if (this.#context.isClosing) throw clientDisconnected();
    const { address, port, path } = requested;
    const gatewayPorts = this.#context.grants()?.gatewayPorts ?? this.#host.options.gatewayPorts;
    const { hosts, notice } =
      path === undefined ? bindAddresses(address, gatewayPorts) : { hosts: [], notice: undefined };
    const forwarding = new Forwarding(requested, hosts, connection, this.#context);
    try {
      await this.#bind(forwarding, requested);
    } catch (error) {
      await forwarding.close();
      throw this.#refused(requested, error instanceof Error ? error.message : "listening failed");
    }
    if (this.#context.isClosing) {
      await forwarding.close();
      throw clientDisconnected();
    }
    this.#forwardings.add(forwarding);
    this.#host.takeovers.opened(this.#client, forwarding);
    if (notice !== undefined) connection.debug(`${notice}: ${addressText(address, forwarding.port)}`);
    const reply = port === 0 && path === undefined ? TcpipForwardReply.encode({ port: forwarding.port }) : undefined;
    return { reply, after: () => this.#opened(forwarding) };
  }

  /** Listens. If a silent client of the same user holds the port, takes it over and tries once more. */
  async #bind(forwarding: Forwarding, requested: Requested): Promise<void> {
    const { options, platform } = this.#host;
    const { port, path } = requested;
    const listen = async (): Promise<void> => {
      if (path === undefined) await forwarding.listen(platform, port);
      else await forwarding.listenPath(platform, path, options.socketMode);
    };
    try {
      await listen();
    } catch (error) {
      if (!mayBeInUse(error) || !(await this.#takeOver(requested)) || this.#context.isClosing) throw error;
      await listen();
    }
  }

  /** Frees the port if only silent clients of the same user hold it. Resolves with whether it is free now. */
  async #takeOver({ port, path }: Requested): Promise<boolean> {
    const { options, takeovers } = this.#host;
    if (options.takeover === false || (port === 0 && path === undefined)) return false;
    return await takeovers.free(this.#client, { port, path }, options.takeover);
  }

  async #opened(forwarding: Forwarding): Promise<void> {
    try {
      const answer: unknown = this.#host.urlOf(forwarding, this.#client);
      const url = answer instanceof Promise ? ((await answer) as unknown) : answer;
      if (typeof url === "string") forwarding.url = url;
    } catch {
      // A function that fails has no URL.
    }
    if (!this.#forwardings.has(forwarding)) return;
    forwarding.ready();
    this.#context.forwardingOpened(forwarding);
    this.#host.emit(new HostForwardingEvent("forwardingopened", this.#client, forwarding));
  }

  /**
   * Returns why the client may not listen there. Clients retry a port that is in use, and recognize a final refusal by
   * sshd's words "not permitted" and "denied".
   */
  async #refusal(requested: Requested, wantReply: boolean): Promise<Exceeded | undefined> {
    const { address, port, path } = requested;
    const { limits } = this.#host.options;
    const { forwardings } = limits;
    const lowestPort = this.#context.grants()?.lowestPort ?? limits.lowestPort;
    const because = (reason: string, limit?: Exceeded["limit"]): Exceeded => ({ reason, limit });
    // Each forwarding keeps its address, and each record of the log repeats it.
    if (address.length > Limits.addressCharacters)
      return because(`addresses above ${Limits.addressCharacters} characters are not permitted`);
    if (path !== undefined) {
      if ((await this.#context.grants()?.mayListenPath(path)) !== true) return because("permission denied");
      if (this.#find(requested) !== undefined) return because("already forwarded");
      if (this.#forwardings.size < forwardings) return undefined;
      return because(`more than ${forwardings} ports are not permitted`, "forwardings");
    }
    if (port > Limits.maxPort) return because(`ports above ${Limits.maxPort} are not permitted`);
    // As sshd does: the client would never learn the port.
    if (port === 0 && !wantReply) return because("port 0 without a reply is not permitted");
    // Events carry the address unescaped.
    if (sanitizeText(address) !== address) return because("unprintable characters are not permitted");
    if (this.#find(requested) !== undefined) return because("already forwarded");
    if (port !== 0 && port < lowestPort) return because(`ports below ${lowestPort} are not permitted`, "lowestPort");
    if ((await this.#context.grants()?.mayListen(address, port)) !== true) return because("permission denied");
    if (this.#forwardings.size < forwardings) return undefined;
    return because(`more than ${forwardings} ports are not permitted`, "forwardings");
  }

  #refused(requested: Requested, reason: string, limit?: Exceeded["limit"]): SshError {
    const text = `${placeText(requested)}: ${reason}`;
    this.#host.emit(new RefusalEvent("forwarding", text, this.#client, this.#client.origin, limit));
    return new SshError("refused", text);
  }

  #find({ address, port, path }: Requested): Forwarding | undefined {
    for (const one of this.#forwardings) {
      if (one.address === address && one.port === port && one.path === path) return one;
    }
    return undefined;
  }

  /** Whether another forwarding, such as that of another address, has the same port. */
  #listensOn({ port, path }: Forwarding): boolean {
    for (const one of this.#forwardings) if (one.port === port && one.path === path) return true;
    return false;
  }

  async #close(forwarding: Forwarding): Promise<void> {
    if (!this.#forwardings.delete(forwarding)) return;
    this.#host.ports.giveBack(this.#client);
    if (!this.#listensOn(forwarding)) this.#host.takeovers.closed(this.#client, forwarding);
    await forwarding.close();
    this.#host.emit(new HostForwardingEvent("forwardingclosed", this.#client, forwarding));
  }
}

function clientDisconnected(): SshError {
  return new SshError("closed", "the client disconnected");
}

/** Whether listening failed because the port is in use, or for a reason that the platform does not tell. */
function mayBeInUse(error: unknown): boolean {
  let cause = error;
  while (cause instanceof SshError) ({ cause } = cause);
  const code = (cause as { readonly code?: unknown } | undefined)?.code;
  return typeof code !== "string" || code === "EADDRINUSE";
}

/** Returns the words for a port or a UNIX socket, with the peer's text quoted. */
export function placeText({ address, port, path }: Requested): string {
  return path === undefined ? addressText(address, port) : quote(path);
}

/** Returns the words for an address and a port. */
export function addressText(address: Address["host"], port: number): string {
  return `${quote(address)} port ${port}`;
}
