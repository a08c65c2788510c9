/** SSH servers in memory that reach each other only by jumps: for the tests of routes. */
import type { Signer } from "@postern/crypto";
import { modernAlgorithms, sha256 } from "@postern/noble";
import { accept, type BytePipe, pump, type SshConnection } from "@postern/ssh";
import { pipePair, seededRandom, testHostKey } from "@postern/testkit";
import { DirectTcpip, OpenFailureReason, SshError, TcpipForward } from "@postern/wire";
import type { Platform } from "../../src/index.ts";
import { createDial } from "./world.ts";

/** A server of a {@link Network}. Its name is also its user and its password. */
export interface Server {
  readonly name: string;
  hostKey: Signer;
  password: string;
  /** The outcome of its direct-tcpip opens. */
  jumps: "open" | "deny" | "hang";
  /** Whether it answers at all. */
  isMute: boolean;
  /** Its connections that are open, after login. */
  readonly connections: Set<SshConnection>;
  logins: number;
}

/** A world of named servers. The first is dialled, the others are reached through `direct-tcpip` channels. */
export class Network implements Platform {
  readonly algorithms = modernAlgorithms;
  readonly sha256 = sha256;
  readonly random = seededRandom("network");
  readonly servers = new Map<string, Server>();
  /** `host:port`, in the order of the dials and channel opens; `from > host:port` for the latter */
  readonly reached: string[] = [];
  /** pipes between a client and a server that are open */
  open = 0;
  /** the far end of each pipe, newest last */
  readonly ends: BytePipe[] = [];
  /** Called before each step. */
  onStep: () => void = () => {};
  /** addresses that are not SSH servers */
  readonly others = new Map<string, (pipe: BytePipe) => void>();

  constructor(...names: readonly string[]) {
    for (const name of names) {
      const made: Server = {
        name,
        hostKey: testHostKey(),
        password: name,
        jumps: "open",
        isMute: false,
        connections: new Set(),
        logins: 0,
      };
      this.servers.set(name, made);
    }
  }

  server(name: string): Server {
    const server = this.servers.get(name);
    if (server === undefined) throw new Error(`expected a server ${name}`);
    return server;
  }

  readonly dial: Platform["dial"] = createDial(async ({ host, port }, { signal }) => {
    this.reached.push(`${host}:${port}`);
    this.onStep();
    await Promise.resolve();
    if (signal.aborted) throw new SshError("aborted", "the dial was aborted", { cause: signal.reason });
    return this.connect(host, port);
  });

  /** Returns our end of a connection to a server. */
  connect(host: string, port: number): BytePipe {
    const other = this.others.get(`${host}:${port}`);
    const server = this.servers.get(host);
    const [near, far] = pipePair();
    if (other !== undefined) {
      other(far);
      return near;
    }
    if (server === undefined)
      throw new SshError("connect", `expected a connection to ${host}:${port}, got ECONNREFUSED`);
    this.open++;
    this.ends.push(far);
    this.#serve(server, far);
    return near;
  }

  #serve(server: Server, far: BytePipe): void {
    const watched: BytePipe = Object.assign(Object.create(far) as BytePipe, {
      start: (sink: Parameters<BytePipe["start"]>[0]) =>
        far.start({
          memory: sink.memory,
          data: (chunk) => {
            this.onStep();
            sink.data(chunk);
          },
          end: () => sink.end(),
          drain: () => sink.drain(),
          closed: (error) => {
            this.open--;
            sink.closed(error);
          },
        }),
      write: (chunk: Uint8Array) => far.write(chunk),
      end: () => far.end(),
      pause: () => far.pause(),
      resume: () => far.resume(),
      close: () => far.close(),
      abort: (reason?: Error) => far.abort(reason),
    });
    if (server.isMute) {
      watched.start({ data() {}, end: () => far.end(), drain() {}, closed() {} });
      return;
    }
    accept(watched, {
      algorithms: modernAlgorithms,
      random: seededRandom(`${server.name} ${this.ends.length}`),
      hostKeys: [server.hostKey],
      authenticate: (attempt) =>
        attempt.method === "password" && attempt.user === server.name && attempt.password === server.password,
      onGlobalRequest: (request) => {
        if (request.name !== "tcpip-forward") return request.refuse();
        TcpipForward.decode(request.specificData);
        request.accept();
      },
      onChannelOpen: (open) => {
        const { host, port } = DirectTcpip.decode(open.specificData);
        this.reached.push(`${server.name} > ${host}:${port}`);
        this.onStep();
        if (server.jumps === "hang") return;
        if (server.jumps === "deny") return open.refuse(OpenFailureReason.ADMINISTRATIVELY_PROHIBITED, "open failed");
        let target: BytePipe;
        try {
          target = this.connect(host, port);
        } catch {
          return open.refuse(OpenFailureReason.CONNECT_FAILED, "Connection refused");
        }
        pump(open.accept(), target);
      },
    }).then(
      (connection) => {
        server.logins++;
        server.connections.add(connection);
        void connection.closed.catch(() => {}).then(() => server.connections.delete(connection));
      },
      () => {},
    );
  }
}
