/** SSH servers in memory that behave as the hosted services do, traps included. */
import { modernAlgorithms, sha256 } from "@postern/noble";
import {
  accept,
  type BytePipe,
  type Channel,
  type IncomingChannelRequest,
  type IncomingRequest,
  type LoginAttempt,
  type SshConnection,
} from "@postern/ssh";
import { pipePair, seededRandom, testHostKey } from "@postern/testkit";
import {
  ExecRequest,
  ExitStatus,
  ForwardedTcpip,
  SshError,
  TcpipForward,
  TcpipForwardReply,
  utf8,
} from "@postern/wire";
import { hostedService, type Platform } from "../../src/index.ts";
import { afterTest } from "./clock.ts";
import { createDial } from "./world.ts";

/** One request for a port. */
export interface ForwardRequest {
  readonly address: string;
  readonly port: number;
  /** Answers; a port is sent in the reply. */
  grant(port?: number): void;
  refuse(): void;
}

/** One connection of a client. */
export class HostedClient {
  readonly connection: SshConnection;
  readonly forwards: ForwardRequest[] = [];
  readonly sessions: Channel[] = [];
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(connection: SshConnection) {
    this.connection = connection;
    void connection.closed.catch(() => {}).then(() => this.#timers.forEach(clearTimeout));
  }

  after(ms: number, what: () => void): void {
    this.#timers.push(setTimeout(what, ms));
  }

  every(ms: number, what: () => void): void {
    this.#timers.push(setInterval(what, ms));
  }

  /** Writes to the first session, if there is one. */
  print(...lines: readonly string[]): void {
    this.sessions[0]?.write(utf8(lines.map((line) => `${line}\r\n`).join("")));
  }

  endSession(status: number): void {
    this.sessions[0]?.notify("exit-status", ExitStatus.encode({ status }));
    this.sessions[0]?.close();
  }

  hangUp(): void {
    this.connection.abort(new SshError("closed", "the service hangs up"));
  }

  /** A visitor arrives, reported with these values. */
  async visit(address: string, port: number): Promise<Channel> {
    // Services have no better originator (hosted services send the bind address).
    const specificData = ForwardedTcpip.encode({ address, port, originAddress: address, originPort: port });
    return await this.connection.openChannel("forwarded-tcpip", specificData);
  }
}

/** The behaviour of one service. */
export interface HostedBehaviour {
  login(attempt: LoginAttempt): boolean | Promise<boolean>;
  /** The client has logged in. */
  connected?(client: HostedClient): void;
  forward(request: ForwardRequest, client: HostedClient): void;
  /** Called once for each session, after it was accepted. */
  session?(client: HostedClient): void;
  /** A request on the session, with the command of `exec`. */
  request(request: IncomingChannelRequest, client: HostedClient, command: string): void;
}

/** A service that dials lead to. */
export class HostedServer implements Platform {
  readonly algorithms = modernAlgorithms;
  readonly sha256 = sha256;
  readonly random = seededRandom("hosted server");
  readonly dialTarget = false;
  readonly service = hostedService();
  /** The events that it saw: `dial a.pinggy.io:443`, `login none me`, `forward localhost:80`, `session`, `exec http`, … */
  readonly log: string[] = [];
  readonly clients: HostedClient[] = [];
  readonly #behaviour: HostedBehaviour;
  readonly #pipes: BytePipe[] = [];

  constructor(behaviour: HostedBehaviour) {
    this.#behaviour = behaviour;
    afterTest.push(() => {
      for (const pipe of this.#pipes) pipe.abort();
    });
  }

  get client(): HostedClient {
    const client = this.clients.at(-1);
    if (client === undefined) throw new Error("expected a client to log in first");
    return client;
  }

  readonly dial: Platform["dial"] = createDial(async ({ host, port }) => {
    this.log.push(`dial ${host}:${port}`);
    await Promise.resolve();
    const [near, far] = pipePair();
    this.#pipes.push(far);
    this.#serve(far);
    return near;
  });

  #serve(pipe: BytePipe): void {
    let client: HostedClient | undefined;
    // Requests arrive after the login only, as these servers cannot be pipelined to.
    const clientOf = (connection: SshConnection): HostedClient => {
      if (client === undefined) {
        client = new HostedClient(connection);
        this.clients.push(client);
        this.#behaviour.connected?.(client);
      }
      return client;
    };
    accept(pipe, {
      algorithms: modernAlgorithms,
      random: seededRandom(`hosted server ${this.#pipes.length}`),
      hostKeys: [testHostKey()],
      methods: ["publickey", "password", "keyboard-interactive"],
      authenticate: (attempt) => {
        this.log.push(`login ${attempt.method} ${attempt.user}`);
        return this.#behaviour.login(attempt);
      },
      onGlobalRequest: (request, connection) => this.#global(request, clientOf(connection)),
      onChannelOpen: (open, connection) => {
        const owner = clientOf(connection);
        this.log.push(open.type);
        const channel = open.accept({ onRequest: (request) => this.#channel(request, owner) });
        channel.start({ data() {}, end() {}, drain() {}, closed() {} });
        owner.sessions.push(channel);
        this.#behaviour.session?.(owner);
      },
    }).then(clientOf, () => {});
  }

  #global(request: IncomingRequest, client: HostedClient): void {
    if (request.name !== "tcpip-forward") return request.refuse();
    const { address, port } = TcpipForward.decode(request.specificData);
    this.log.push(`forward ${address}:${port}`);
    const forward: ForwardRequest = {
      address,
      port,
      grant: (bound) =>
        request.accept(bound === undefined ? new Uint8Array(0) : TcpipForwardReply.encode({ port: bound })),
      refuse: () => request.refuse(),
    };
    client.forwards.push(forward);
    this.#behaviour.forward(forward, client);
  }

  #channel(request: IncomingChannelRequest, client: HostedClient): void {
    const command = request.type === "exec" ? ExecRequest.decode(request.specificData).command : "";
    const reply = request.wantReply ? " (wants a reply)" : "";
    this.log.push(`${request.type}${command && ` ${command}`}${reply}`);
    this.#behaviour.request(request, client, command);
  }
}
