/** A client whose connection is in a worker, as the primary sees it. @module */
import type { InteractiveRequest } from "@postern/auth";
import { type Deferred, deferred, type LoginAttempt, type PeerInfo } from "@postern/ssh";
import { type Bytes, DisconnectReason, describeType, SshError, sanitizeText } from "@postern/wire";
import { ClientLogin } from "../client-login.ts";
import type { HostForwarding } from "../client-view.ts";
import { HostForwardingEvent, HostVisitorEvent, LoginEvent, RefusalEvent } from "../events.ts";
import type { Exceeded } from "../host-budget.ts";
import { refusedLogin, type ServedClient } from "../host-client.ts";
import type { HostContext, Membership } from "../host-context.ts";
import type { LimitName } from "../limits.ts";
import { type HostLogin, type ProvedKey, plainKey } from "../login-identity.ts";
import type { Address } from "../platform.ts";
import { prepareForClient } from "../prepare-for-client.ts";
import { placeKey, type TakeoverPlace } from "../takeover.ts";
import { type Link, type PassedError, passedError, receivedError } from "./link.ts";
import type {
  ClientCounts,
  PassedAttempt,
  PassedDecision,
  PassedForwarding,
  Permission,
  WorkerFunctions,
} from "./messages.ts";
import { RemoteForwarding } from "./remote-forwarding.ts";

type WorkerLink = Pick<Link<WorkerFunctions, object>, "call" | "notify">;

/** How long a worker that serves other clients may take to answer a call. */
const marginMs = 1_000;

/** A client in a worker. */
export class RemoteClient implements ServedClient {
  readonly id: number;
  readonly origin: Address | undefined;
  readonly since: Date = new Date();
  readonly #context: HostContext;
  readonly #worker: WorkerLink;
  readonly #lose: (error: SshError) => boolean;
  readonly #attempts: ClientLogin;
  readonly #membership: Membership;
  readonly #forwardings = new Map<number, RemoteForwarding>();
  readonly #held = new Map<string, TakeoverPlace>();
  readonly #ended: Deferred<SshError | undefined> = deferred();
  #counts: Omit<ClientCounts, "forwardings"> = { bytesIn: 0, bytesOut: 0, channels: 0, rekeys: 0 };
  #user: { readonly account: string; readonly peer: PeerInfo } | undefined;
  #login: HostLogin | undefined;
  /** Aborts the decision about the current attempt. */
  #abort: AbortController | undefined;
  /** Number of ports that are counted for the user. */
  #ports = 0;
  /** We have disconnected it. */
  #isDropped = false;
  #hasEnded = false;

  /** @param lose ends a client whose socket the worker has not received; returns `false` for another one */
  constructor(
    id: number,
    origin: Address | undefined,
    context: HostContext,
    worker: WorkerLink,
    lose: (error: SshError) => boolean,
  ) {
    this.id = id;
    this.origin = origin;
    this.#context = context;
    this.#worker = worker;
    this.#lose = lose;
    this.#attempts = new ClientLogin(this, context);
    this.#membership = context.join(this);
  }

  get user(): string | undefined {
    return this.#user && sanitizeText(this.#user.account);
  }

  get account(): string {
    return this.#user?.account ?? "";
  }

  get login(): HostLogin | undefined {
    return this.#login;
  }

  get version(): string {
    return this.#user?.peer.version ?? "";
  }

  get peer(): PeerInfo | undefined {
    return this.#user?.peer;
  }

  get keys(): readonly ProvedKey[] {
    return this.#attempts.keys;
  }

  get lastKey(): Bytes | undefined {
    const key = this.#attempts.keys.at(-1);
    return key && plainKey(key);
  }

  get bytesIn(): number {
    return this.#counts.bytesIn;
  }

  get bytesOut(): number {
    return this.#counts.bytesOut;
  }

  get channels(): number {
    return this.#counts.channels;
  }

  get rekeys(): number {
    return this.#counts.rekeys;
  }

  get forwardings(): readonly HostForwarding[] {
    return [...this.#forwardings.values()];
  }

  rekey(): void {
    this.#worker.notify("rekey", [this.id]);
  }

  async close(): Promise<void> {
    if (this.#lose(new SshError("closed", "the server closed the connection"))) return;
    if (this.#login === undefined) this.#isDropped = true;
    await this.#disconnect(() => this.#worker.call("close", this.id));
  }

  async drop(reason: SshError): Promise<void> {
    if (this.#lose(reason)) return;
    this.#isDropped = true;
    const call = (): Promise<void> => this.#worker.call("drop", this.id, passedError(reason));
    await this.#disconnect(() => withTimeout(call(), marginMs, undefined));
  }

  async drain(drainMs: number): Promise<void> {
    if (this.#lose(new SshError("closed", "the server closed the connection"))) return;
    if (this.#login === undefined) this.#isDropped = true;
    await this.#disconnect(() => this.#worker.call("drain", this.id, drainMs));
  }

  async answers(timeoutMs: number): Promise<boolean> {
    try {
      return await withTimeout(this.#worker.call("answers", this.id, timeoutMs), timeoutMs + marginMs, false);
    } catch {
      return false;
    }
  }

  /** Resolves when the connection has ended, with the reason unless the client simply left. Never rejects. */
  run(): Promise<SshError | undefined> {
    return this.#ended.promise;
  }

  async authenticate(attempt: PassedAttempt): Promise<PassedDecision> {
    const abort = new AbortController();
    this.#abort = abort;
    const { options, platform } = this.#context;
    const { authorityKeys } = await prepareForClient(options, platform);
    this.#attempts.authorityKeys = authorityKeys;
    const ask = (request: InteractiveRequest): Promise<readonly string[]> => this.#worker.call("ask", this.id, request);
    const { signal } = abort;
    const whole: LoginAttempt =
      attempt.method === "keyboard-interactive" ? { ...attempt, signal, ask } : { ...attempt, signal };
    const decision = await this.#attempts.authenticate(whole);
    const { accepted } = this.#attempts;
    if (accepted === undefined) return { decision, accepted };
    const { gatewayPorts, lowestPort } = accepted.grants;
    return { decision, accepted: { method: accepted.method, gatewayPorts, lowestPort } };
  }

  abandoned(): void {
    this.#abort?.abort(new SshError("aborted", "the client dropped its attempt to log in"));
  }

  /** Returns `false` if the client may not stay. It is disconnected then. */
  loggedIn(account: string, login: HostLogin, peer: PeerInfo): boolean {
    this.#user = { account, peer };
    const refused = this.#membership.loggedIn(account, this.#attempts.keys);
    if (refused !== undefined) {
      const { text, error } = refusedLogin(account, refused);
      this.#context.emit(new RefusalEvent("login", text, this, this.origin, refused.limit));
      void this.drop(error);
      return false;
    }
    this.#login = login;
    this.#context.emit(new LoginEvent(this, login));
    return true;
  }

  /** Whether the client is permitted something. Nothing is to one that is being disconnected. */
  may(permission: Permission, place: readonly [string, number] | readonly [string]): boolean {
    const grants = this.#mayUseHost ? this.#attempts.accepted?.grants : undefined;
    if (grants === undefined) return false;
    const [first, port = 0] = place;
    return grants[permission](first, port);
  }

  takePort(): Exceeded | undefined {
    if (!this.#mayUseHost) return { reason: "the client is being disconnected", limit: undefined };
    const exceeded = this.#context.budget.take(this.account, "forwardings");
    if (exceeded === undefined) this.#ports++;
    return exceeded;
  }

  returnPort(): void {
    if (this.#ports === 0) return;
    this.#ports--;
    this.#context.budget.giveBack(this.account, "forwardings");
  }

  holds(place: TakeoverPlace): void {
    this.#held.set(placeKey(place), place);
    this.#context.takeovers.opened(this, place);
  }

  releases(place: TakeoverPlace): void {
    if (this.#held.delete(placeKey(place))) this.#context.takeovers.closed(this, place);
  }

  async takeOver(place: TakeoverPlace): Promise<boolean> {
    const { takeover } = this.#context.options;
    return this.#mayUseHost && takeover !== false && (await this.#context.takeovers.free(this, place, takeover));
  }

  async urlOf(passed: PassedForwarding): Promise<string | undefined> {
    const url: unknown = await this.#context.urlOf(this.#forwarding(passed), this);
    if (url === undefined || typeof url === "string") return url;
    throw new SshError("misuse", `expected url to return a string or undefined, got ${describeType(url)}`);
  }

  forwardingOpened(passed: PassedForwarding): void {
    const forwarding = this.#forwarding(passed);
    forwarding.url = passed.url;
    this.#context.emit(new HostForwardingEvent("forwardingopened", this, forwarding));
  }

  forwardingClosed(passed: PassedForwarding): void {
    const forwarding = this.#forwarding(passed);
    this.#forwardings.delete(passed.number);
    this.#context.emit(new HostForwardingEvent("forwardingclosed", this, forwarding));
  }

  visitor(passed: PassedForwarding, origin: Address): void {
    this.#context.emit(new HostVisitorEvent(this, this.#forwarding(passed), origin));
  }

  refusal(
    what: "forwarding" | "channel" | "visitor",
    reason: string,
    origin: Address | undefined,
    limit: LimitName | undefined,
  ): void {
    this.#context.emit(new RefusalEvent(what, reason, this, origin, limit));
  }

  count({ forwardings, ...counts }: ClientCounts): void {
    this.#counts = counts;
    for (const [number, one] of forwardings) this.#forwardings.get(number)?.count(one);
  }

  /** The worker's connection has ended, or its process has: then there are no counts. */
  ended(error: PassedError | undefined, counts: ClientCounts | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.abandoned();
    if (counts !== undefined) this.count(counts);
    const reason = error && receivedError(error);
    for (const place of this.#held.values()) this.#context.takeovers.closed(this, place);
    this.#held.clear();
    while (this.#ports > 0) this.returnPort();
    for (const [number, forwarding] of this.#forwardings) {
      this.#forwardings.delete(number);
      this.#context.emit(new HostForwardingEvent("forwardingclosed", this, forwarding));
    }
    this.#counts = { ...this.#counts, channels: 0 };
    // A client is not to blame for the end of a worker.
    const isOurs = this.#isDropped || counts === undefined;
    this.#membership.left(isOurs ? undefined : this.#attempts.offence(reason));
    // RFC 4253 section 11.1: the client left on its own.
    const hasLeft = reason?.code === "disconnected" && reason.reason === DisconnectReason.BY_APPLICATION;
    this.#ended.resolve(hasLeft ? undefined : reason);
  }

  /** Whether the client has logged in and may stay. */
  get #mayUseHost(): boolean {
    return this.#login !== undefined && !this.#isDropped && !this.#hasEnded;
  }

  #forwarding(passed: PassedForwarding): RemoteForwarding {
    const forwarding = this.#forwardings.get(passed.number) ?? new RemoteForwarding(passed);
    forwarding.count(passed.counts);
    this.#forwardings.set(passed.number, forwarding);
    return forwarding;
  }

  /** A worker that has ended has disconnected the client. */
  async #disconnect(call: () => Promise<void>): Promise<void> {
    if (!this.#hasEnded) await Promise.race([call().catch(() => {}), this.#ended.promise]);
  }
}

/** Settles as `call` does, or resolves with `otherwise` after a time: a worker that hangs answers no call. */
async function withTimeout<Value>(call: Promise<Value>, ms: number, otherwise: Value): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<Value>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
