/** A worker of a host, as the primary sees it. @module */
import type { Algorithms, Signer } from "@postern/crypto";
import { setRef } from "@postern/ssh";
import { type Bytes, SshError, toHex } from "@postern/wire";
import { HostWorkerEvent } from "../events.ts";
import type { HostContext } from "../host-context.ts";
import type { CheckedHostOptions } from "../options.ts";
import type { Address } from "../platform.ts";
import { Link, passedError, type SendMessage } from "./link.ts";
import type { AlgorithmLists, PassedOptions, PrimaryFunctions, UserUsage, WorkerFunctions } from "./messages.ts";
import { type PassedSocket, PassingSockets, receiveMs } from "./passing-sockets.ts";
import { RemoteClient } from "./remote-client.ts";

/** Reserves the paths of UNIX sockets for one process of several. */
export interface PathReservations {
  /** Returns `false` if the path is reserved. */
  reserve(key: string): boolean;
  release(key: string): void;
}

/** The parts of a host that all of its workers use. */
export interface WorkersContext {
  readonly host: HostContext;
  /** Returns the key that signs for a public key. Keys of earlier options are included, for rekeys. */
  readonly signerOf: (publicKey: Bytes) => Signer | undefined;
  readonly paths: PathReservations;
  /** Tells other workers what users have in this one. */
  readonly usageChanged: (users: readonly string[]) => void;
}

/** One worker process, from its start to its end. */
export class HostWorker {
  readonly clients: Map<number, RemoteClient> = new Map();
  readonly #context: WorkersContext;
  readonly #link: Link<WorkerFunctions, PrimaryFunctions>;
  /** The usage that the worker has reported, by user. */
  readonly #usage = new Map<string, { readonly memory: number; readonly channels: number }>();
  #memory = 0;
  /** Number of logged-in clients by user. */
  readonly #users = new Map<string, number>();
  readonly #paths = new Set<string>();
  readonly #passing = new PassingSockets();

  constructor(context: WorkersContext, send: SendMessage) {
    this.#context = context;
    this.#link = new Link<WorkerFunctions, PrimaryFunctions>(send, this.#functions());
  }

  /** Sends the options, which the next clients use. */
  configure(options: CheckedHostOptions): void {
    this.#link.notify("configure", [passedOptions(options)]);
  }

  /** Passes the socket of a new client. A client whose socket the worker does not receive is disconnected. */
  serve(id: number, origin: Address | undefined, socket: PassedSocket): RemoteClient {
    const lose = (error: SshError): boolean => this.#lose(id, error);
    const client = new RemoteClient(id, origin, this.#context.host, this.#link, lose);
    this.clients.set(id, client);
    const seconds = receiveMs / 1_000;
    const late = `expected a worker to receive the connection within ${seconds} s, got no answer`;
    this.#passing.add(id, socket, () => lose(new SshError("timeout", late)));
    this.#link.notify("serve", [id, origin], socket.handle);
    const lost = new SshError("closed", "expected a worker to receive the connection, got none");
    this.#link.call("hasReceived", id).then(
      (hasReceived) => (hasReceived ? this.#passing.take(id)?.received() : lose(lost)),
      () => lose(lost),
    );
    return client;
  }

  /** Handles a message of the worker. */
  receive(message: unknown): void {
    this.#link.receive(message);
  }

  /** Resolves once the worker has answered. @throws SshError if it cannot serve clients, or has ended */
  async ping(): Promise<void> {
    await this.#link.call("ping");
  }

  /** The process has ended, and its clients with it. */
  ended(reason: string): void {
    const error = new SshError("closed", reason);
    this.#link.close(error);
    for (const key of this.#paths) this.#context.paths.release(key);
    this.#paths.clear();
    this.#recordUsage([...this.#usage.keys()].map((user) => [user, 0, 0]));
    for (const [id, client] of this.clients) {
      client.ended(passedError(error), undefined);
      this.#left(id, client);
    }
  }

  /** Sends the memory of other processes, and what users of this worker have there. */
  sendUsageOfOthers(users: Iterable<string>): void {
    const { budget } = this.#context.host;
    const rows: UserUsage[] = [];
    for (const user of users) {
      if (!this.#users.has(user) && !this.#usage.has(user)) continue;
      const all = budget.usedBy(user);
      const here = this.#usage.get(user) ?? { memory: 0, channels: 0 };
      rows.push([user, all.memory - here.memory, all.channels - here.channels]);
    }
    this.#link.notify("usageOfOthers", [budget.memory - this.#memory, rows]);
  }

  #functions(): PrimaryFunctions {
    const { signerOf, paths } = this.#context;
    const of = (id: number): RemoteClient => {
      const client = this.clients.get(id);
      if (client === undefined) throw new SshError("closed", "the client disconnected");
      return client;
    };
    // Notes about a client that has ended change nothing.
    const ifKnown = (id: number, use: (client: RemoteClient) => void): void => {
      const client = this.clients.get(id);
      if (client !== undefined) use(client);
    };
    return {
      async sign(publicKey, data, algorithm) {
        const signer = signerOf(publicKey);
        if (signer === undefined) throw new SshError("misuse", "expected a host key of this host, got another one");
        return await signer.sign(data, algorithm);
      },
      authenticate: async (id, attempt) => await of(id).authenticate(attempt),
      abandoned: (id) => ifKnown(id, (client) => client.abandoned()),
      loggedIn: (id, account, login, peer) =>
        ifKnown(id, (client) => {
          if (!client.loggedIn(account, login, peer)) return;
          this.#users.set(account, (this.#users.get(account) ?? 0) + 1);
          // Before the answer to the client's first request, so that it counts.
          this.sendUsageOfOthers([account]);
          this.#context.usageChanged([account]);
        }),
      // An error of a permission function does not permit.
      may: (id, permission, place) => of(id).may(permission, place),
      takePort: (id) => of(id).takePort(),
      returnPort: (id) => ifKnown(id, (client) => client.returnPort()),
      reservePath: (key) => {
        const isFree = paths.reserve(key);
        if (isFree) this.#paths.add(key);
        return isFree;
      },
      releasePath: (key) => {
        if (this.#paths.delete(key)) paths.release(key);
      },
      holds: (id, place) => ifKnown(id, (client) => client.holds(place)),
      releases: (id, place) => ifKnown(id, (client) => client.releases(place)),
      takeOver: async (id, place) => await of(id).takeOver(place),
      urlOf: async (id, forwarding) => await of(id).urlOf(forwarding),
      forwardingOpened: (id, forwarding) => ifKnown(id, (client) => client.forwardingOpened(forwarding)),
      forwardingClosed: (id, forwarding) => ifKnown(id, (client) => client.forwardingClosed(forwarding)),
      visitor: (id, forwarding, origin) => ifKnown(id, (client) => client.visitor(forwarding, origin)),
      refusal: (id, what, reason, origin, limit) =>
        ifKnown(id, (client) => client.refusal(what, reason, origin, limit)),
      counts: (rows) => {
        for (const [id, counts] of rows) this.clients.get(id)?.count(counts);
      },
      usage: (users) => this.#recordUsage(users),
      closed: (id, error, counts) =>
        ifKnown(id, (client) => {
          client.ended(error, counts);
          this.#left(id, client);
        }),
    };
  }

  /** Disconnects a client whose socket the worker has not received. Returns `false` if the worker has it. */
  #lose(id: number, error: SshError): boolean {
    const client = this.clients.get(id);
    if (client === undefined || !this.#passing.has(id)) return false;
    // The message with the socket may still arrive, before this one.
    this.#link.call("drop", id, passedError(error)).catch(() => {});
    client.ended(passedError(error), undefined);
    this.#left(id, client);
    return true;
  }

  #left(id: number, client: RemoteClient): void {
    this.#passing.take(id)?.lost();
    this.clients.delete(id);
    if (client.login === undefined) return;
    const { account } = client;
    const left = (this.#users.get(account) ?? 0) - 1;
    if (left > 0) this.#users.set(account, left);
    else this.#users.delete(account);
    this.#context.usageChanged([account]);
  }

  #recordUsage(users: readonly UserUsage[]): void {
    for (const [user, memory, channels] of users) {
      const before = this.#usage.get(user) ?? { memory: 0, channels: 0 };
      this.#context.host.budget.adjust(user, memory - before.memory, channels - before.channels);
      this.#memory += memory - before.memory;
      if (memory === 0 && channels === 0) this.#usage.delete(user);
      else this.#usage.set(user, { memory, channels });
    }
    this.#context.usageChanged(users.map(([user]) => user));
  }
}

/** How long a change of the usage may wait for others. */
const exchangeMs = 10;

/** The workers of a host. */
export class HostWorkers {
  /** The algorithms that workers know. */
  readonly known: Algorithms;
  readonly #host: HostContext;
  readonly #paths: PathReservations;
  readonly #all = new Set<HostWorker>();
  /** The host keys of all options so far, by public key: a rekey must prove the same key. */
  readonly #signers = new Map<string, Signer>();
  readonly #changed = new Set<string>();

  constructor(host: HostContext, paths: PathReservations, known: Algorithms) {
    this.#host = host;
    this.#paths = paths;
    this.known = known;
    this.#addSigners();
  }

  /** Adds a worker process. `send` passes messages to it. */
  add(send: SendMessage): HostWorker {
    const worker = new HostWorker(
      {
        host: this.#host,
        paths: this.#paths,
        signerOf: (publicKey) => this.#signers.get(toHex(publicKey)),
        usageChanged: (users) => this.#usageChanged(users),
      },
      send,
    );
    this.#all.add(worker);
    worker.configure(this.#host.options);
    worker.sendUsageOfOthers([]);
    return worker;
  }

  /** A worker process has ended, and its clients with it. */
  remove(worker: HostWorker, pid: number | undefined, reason: string): void {
    this.#all.delete(worker);
    this.#host.emit(new HostWorkerEvent(pid, reason));
    worker.ended(`the worker process ended: ${reason}`);
  }

  /** A worker process could not be started. */
  notStarted(reason: string): void {
    this.#host.emit(new HostWorkerEvent(undefined, reason));
  }

  /** The options were replaced. */
  reloaded(): void {
    this.#addSigners();
    for (const worker of this.#all) worker.configure(this.#host.options);
  }

  #addSigners(): void {
    for (const signer of this.#host.options.hostKeys) this.#signers.set(toHex(signer.publicKey), signer);
  }

  #usageChanged(users: readonly string[]): void {
    if (this.#changed.size === 0 && users.length > 0) {
      const timer = setTimeout(() => {
        const changed = [...this.#changed];
        this.#changed.clear();
        for (const worker of this.#all) worker.sendUsageOfOthers(changed);
      }, exchangeMs);
      setRef(timer, false);
    }
    for (const user of users) this.#changed.add(user);
  }
}

/** @throws SshError `misuse` for options that a worker cannot have: `tap`, and algorithms that it does not know */
export function checkWorkerOptions({ tap, algorithms, userKeys = [] }: CheckedHostOptions, known: Algorithms): void {
  if (tap !== undefined) throw new SshError("misuse", "expected no tap with workers, because packets stay in them");
  const lists = { ...algorithms, userKeys };
  const kinds = { ...known, userKeys: known.hostKeys };
  for (const kind of ["kex", "hostKeys", "ciphers", "macs", "userKeys"] as const) {
    const all: readonly { readonly name: string }[] = kinds[kind];
    const other = lists[kind].find((one) => !all.includes(one));
    if (other === undefined) continue;
    const name = kind === "userKeys" ? kind : `algorithms.${kind}`;
    throw new SshError("misuse", `expected ${name} of this package with workers, got another ${other.name}`);
  }
}

function passedOptions(options: CheckedHostOptions): PassedOptions {
  const { methods, gatewayPorts, socketMode, rekey, banner, takeover, versionAddendum, keepAlive, limits } = options;
  const { hostKeys, algorithms, userKeys, url } = options;
  const names = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name);
  const { kex, ciphers, macs } = algorithms;
  const lists: AlgorithmLists = {
    kex: names(kex),
    hostKeys: names(algorithms.hostKeys),
    ciphers: names(ciphers),
    macs: names(macs),
  };
  return {
    ...{ methods, gatewayPorts, socketMode, rekey, banner, takeover, versionAddendum, keepAlive, limits },
    hostKeys: hostKeys.map(({ publicKey, algorithms: ours }) => ({ publicKey, algorithms: [...ours] })),
    algorithms: lists,
    userKeys: userKeys && names(userKeys),
    hasUrl: url !== undefined,
  };
}
