/** The part of a host that runs in a worker: the connections of its clients, their ports and their visitors. @module */
import type { Algorithms, Signer } from "@postern/crypto";
import { createFingerprint } from "@postern/keys";
import { type BytePipe, setRef } from "@postern/ssh";
import { type Bytes, SshError } from "@postern/wire";
import type { HostForwarding } from "../client-view.ts";
import { type HostEvent, HostForwardingEvent, HostVisitorEvent, LoginEvent, RefusalEvent } from "../events.ts";
import { Client } from "../host-client.ts";
import type { ClientContext } from "../host-context.ts";
import type { HostPlatform } from "../platform.ts";
import { prepareForClient } from "../prepare-for-client.ts";
import type { TakeoverClient } from "../takeover.ts";
import { Link, passedError, receivedError, type SendMessage } from "./link.ts";
import type {
  ClientCounts,
  ForwardingCounts,
  PassedForwarding,
  PassedOptions,
  PrimaryFunctions,
  WorkerFunctions,
} from "./messages.ts";
import { type PrimaryLink, RemoteDecider } from "./remote-decider.ts";
import { WorkerBudget } from "./worker-budget.ts";

/** How often the counters of clients are reported. */
const countsMs = 1_000;

/** Refusals that may wait for the primary. Others are dropped, because a client can cause them faster than it reads. */
const maxUnreported = 1024;

/** The platform of a worker. */
export interface WorkerPlatform extends HostPlatform {
  /** All algorithms of the platform, which the options name. */
  readonly allAlgorithms: Algorithms;
  /** Returns the pipe of a socket that was passed, or `undefined` if the socket did not arrive. */
  readonly openHandle: (handle: unknown) => BytePipe | undefined;
}

/** Serves the clients that the primary passes to this process. */
export class WorkerHost {
  readonly #platform: WorkerPlatform;
  readonly #link: PrimaryLink;
  readonly #clients = new Map<number, Client>();
  readonly #budget: WorkerBudget;
  readonly #context: ClientContext;
  /** Numbers of forwardings. */
  readonly #numbers = new WeakMap<HostForwarding, number>();
  /** The sum of the counters at the last report, by client. */
  readonly #reported = new WeakMap<Client, number>();
  #options: ClientContext["options"] | undefined;
  #hasUrl = false;
  #nextNumber = 1;
  /** Refusals that the primary has not handled yet. */
  #unreported = 0;

  constructor(platform: WorkerPlatform, send: SendMessage) {
    this.#platform = platform;
    this.#link = new Link<PrimaryFunctions, WorkerFunctions>(send, this.#functions());
    const options = (): ClientContext["options"] => this.#checkedOptions();
    this.#budget = new WorkerBudget(
      // The primary counts the connections and the ports of users.
      () => ({ ...options().limits, connectionsPerUser: Number.POSITIVE_INFINITY }),
      (users) => this.#link.notify("usage", [users]),
    );
    this.#context = this.#createContext(options);
    setRef(
      setInterval(() => this.#reportCounts(), countsMs),
      false,
    );
  }

  /** Reserves the path of a UNIX socket over all processes of the host. */
  readonly reservePath = async (key: string): Promise<boolean> => await this.#link.call("reservePath", key);

  readonly releasePath = (key: string): void => this.#link.notify("releasePath", [key]);

  /** Handles a message of the primary. */
  receive(message: unknown, handle?: unknown): void {
    this.#link.receive(message, handle);
  }

  #functions(): WorkerFunctions {
    const of = (id: number): Client => {
      const client = this.#clients.get(id);
      if (client === undefined) throw new SshError("closed", "the client disconnected");
      return client;
    };
    return {
      configure: (options) => this.#configure(options),
      serve: (id, origin, handle) => void this.#serve(id, origin, handle),
      // A client that has left was reported before.
      hasReceived: (id) => this.#clients.has(id),
      ask: async (id, request) => {
        const decider = this.#deciders.get(of(id));
        if (decider === undefined) throw new SshError("closed", "the client disconnected");
        return await decider.ask(request);
      },
      rekey: (id) => this.#clients.get(id)?.rekey(),
      close: async (id) => await of(id).close(),
      drop: async (id, reason) => await of(id).drop(receivedError(reason)),
      answers: async (id, timeoutMs) => await of(id).answers(timeoutMs),
      drain: async (id, drainMs) => await of(id).drain(drainMs),
      usageOfOthers: (memory, users) => {
        this.#budget.memoryOfOthers = memory;
        for (const user of users) this.#budget.setUsageOfOthers(...user);
      },
      ping: async () => void (await prepareForClient(this.#checkedOptions(), this.#platform)),
    };
  }

  readonly #deciders = new WeakMap<TakeoverClient, RemoteDecider>();

  #createContext(options: () => ClientContext["options"]): ClientContext {
    const link = this.#link;
    return {
      get options() {
        return options();
      },
      platform: this.#platform,
      budget: this.#budget,
      takeovers: {
        opened: ({ id }, { port, path }) => link.notify("holds", [id, { port, path }]),
        closed: ({ id }, { port, path }) => link.notify("releases", [id, { port, path }]),
        free: async ({ id }, { port, path }) => await link.call("takeOver", id, { port, path }),
      },
      ports: {
        take: async ({ id }) => await link.call("takePort", id),
        giveBack: ({ id }) => link.notify("returnPort", [id]),
      },
      // The primary has admitted the client, and counts it.
      join: () => ({ loggedIn: () => undefined, left: () => {} }),
      decider: (client) => {
        const decider = new RemoteDecider(client.id, link);
        this.#deciders.set(client, decider);
        return decider;
      },
      urlOf: (forwarding, { id }) => (this.#hasUrl ? link.call("urlOf", id, this.#passed(forwarding)) : undefined),
      fingerprint: createFingerprint(this.#platform.sha256),
      emit: (event) => this.#emit(event),
    };
  }

  #configure({ hostKeys, algorithms, userKeys, hasUrl, ...plain }: PassedOptions): void {
    const { allAlgorithms } = this.#platform;
    const link = this.#link;
    const signers: Signer[] = hostKeys.map((key) => ({
      ...key,
      // Private keys stay in the primary.
      sign: async (data: Bytes, algorithm: string) => await link.call("sign", key.publicKey, data, algorithm),
    }));
    this.#hasUrl = hasUrl;
    this.#options = {
      ...plain,
      hostKeys: signers,
      algorithms: {
        kex: named(algorithms.kex, allAlgorithms.kex),
        hostKeys: named(algorithms.hostKeys, allAlgorithms.hostKeys),
        ciphers: named(algorithms.ciphers, allAlgorithms.ciphers),
        macs: named(algorithms.macs, allAlgorithms.macs),
      },
      userKeys: userKeys && named(userKeys, allAlgorithms.hostKeys),
      ...{ url: undefined, log: undefined, tap: undefined },
    };
  }

  #checkedOptions(): ClientContext["options"] {
    if (this.#options === undefined) throw new SshError("misuse", "expected options before the first client");
    return this.#options;
  }

  async #serve(id: number, origin: Parameters<WorkerFunctions["serve"]>[1], handle: unknown): Promise<void> {
    const pipe = this.#platform.openHandle(handle);
    if (pipe === undefined) {
      const lost = new SshError("closed", "the connection ended before a worker had it");
      this.#link.notify("closed", [id, passedError(lost), noCounts]);
      return;
    }
    const client = new Client(id, origin, this.#context);
    this.#clients.set(id, client);
    const reason = await client.run(pipe);
    this.#clients.delete(id);
    this.#link.notify("closed", [id, reason && passedError(reason), this.#countsOf(client)]);
  }

  #emit(event: HostEvent): void {
    if (event instanceof LoginEvent) {
      const { id, login, peer } = event.client;
      if (login !== undefined && peer !== undefined)
        this.#link.notify("loggedIn", [id, (event.client as Client).account, login, peer]);
    } else if (event instanceof HostForwardingEvent) {
      const name = event.type === "forwardingopened" ? "forwardingOpened" : "forwardingClosed";
      this.#link.notify(name, [event.client.id, this.#passed(event.forwarding)]);
    } else if (event instanceof HostVisitorEvent) {
      this.#link.notify("visitor", [event.client.id, this.#passed(event.forwarding), event.origin]);
    } else if (event instanceof RefusalEvent) {
      const { what, client, reason, origin, limit } = event;
      // The primary decides about connections and logins.
      if (client === undefined || what === "connection" || what === "login") return;
      void this.#passRefusal(client.id, what, reason, origin, limit);
    }
  }

  async #passRefusal(...refusal: Parameters<PrimaryFunctions["refusal"]>): Promise<void> {
    if (this.#unreported >= maxUnreported) return;
    this.#unreported++;
    await this.#link.call("refusal", ...refusal).catch(() => {});
    this.#unreported--;
  }

  #passed(forwarding: HostForwarding): PassedForwarding {
    const { address, port, path, hosts, url } = forwarding;
    return {
      number: this.#numberOf(forwarding),
      address,
      port,
      path,
      hosts,
      url,
      counts: countsOfForwarding(forwarding),
    };
  }

  #numberOf(forwarding: HostForwarding): number {
    const number = this.#numbers.get(forwarding) ?? this.#nextNumber++;
    this.#numbers.set(forwarding, number);
    return number;
  }

  #countsOf(client: Client): ClientCounts {
    const { bytesIn, bytesOut, channels, rekeys, forwardings } = client;
    const rows = forwardings.map((one) => [this.#numberOf(one), countsOfForwarding(one)] as const);
    return { bytesIn, bytesOut, channels, rekeys, forwardings: rows };
  }

  #reportCounts(): void {
    const rows: [number, ClientCounts][] = [];
    for (const [id, client] of this.#clients) {
      // Every change of another counter comes with bytes.
      const sum = client.bytesIn + client.bytesOut;
      if (this.#reported.get(client) === sum) continue;
      this.#reported.set(client, sum);
      rows.push([id, this.#countsOf(client)]);
    }
    if (rows.length > 0) this.#link.notify("counts", [rows]);
  }
}

const noCounts: ClientCounts = { bytesIn: 0, bytesOut: 0, channels: 0, rekeys: 0, forwardings: [] };

function countsOfForwarding({ visitors, open, bytesIn, bytesOut }: HostForwarding): ForwardingCounts {
  return { visitors, open, bytesIn, bytesOut };
}

/** Returns the algorithms with these names. */
function named<One extends { readonly name: string }>(names: readonly string[], all: readonly One[]): readonly One[] {
  return names.flatMap((name) => all.find((one) => one.name === name) ?? []);
}
