/** Fuzz targets: whole sessions in both roles, as streams and as messages, and the replies of proxies. @module */
import {
  type FuzzTarget,
  inputOf,
  messagesOf,
  ToyPeer,
  ToySession,
  toyActions,
  toyLogin,
  toyMessages,
} from "@postern/testkit";
import { type Bytes, concat, SshError, toHex, utf8 } from "@postern/wire";
import { acceptSocks, type BytePipe, httpConnect, type PipeSink, type ProxyServer, socks5 } from "../src/index.ts";

type Role = "client" | "server";

/** Codes that a hostile peer can cause. `misuse` and `aborted` are not among them. */
const codes = [
  "protocol",
  "mac",
  "version",
  "busy",
  "negotiation",
  "kex",
  "hostkey",
  "auth",
  "credentials",
  "closed",
  "disconnected",
  "limit",
  "key",
] as const;
const sources = [
  "packages/ssh/src/session-machine.ts",
  "packages/transport/",
  "packages/auth/",
  "packages/connection/",
];

/** The number of a message that is a call of our program instead. No peer sends it: 254 is reserved for local use. */
const action = 254;
const actions = Object.values(toyActions);
const otherRole = (role: Role): Role => (role === "client" ? "server" : "client");

/** Conversations that reach every layer. */
function conversations(peer: Role): Bytes[][] {
  const all = toyMessages(peer);
  const login = toyLogin(peer);
  const payloads = (...names: string[]): Bytes[] => names.map((name) => all[name] ?? utf8(name));
  const start = payloads(...login);
  const act = (at: number): Bytes => Uint8Array.of(action, at);
  const channel = payloads("CHANNEL_OPEN", "CHANNEL_DATA", "CHANNEL_REQUEST", "CHANNEL_EOF", "CHANNEL_CLOSE");
  const answer = peer === "client" ? "KEX_ECDH_INIT" : "KEX_ECDH_REPLY";
  return [
    start,
    [...start, ...channel],
    [...start, act(0), ...payloads("CHANNEL_OPEN_CONFIRMATION", "CHANNEL_WINDOW_ADJUST"), act(2), act(4), act(5)],
    [...start, act(3), ...payloads("REQUEST_SUCCESS", "GLOBAL_REQUEST", "PING", "KEXINIT", answer, "NEWKEYS")],
    ...Object.values(all).map((payload) => [...start, payload]),
    ...Object.values(all).map((payload) => [...start.slice(0, -1), payload]),
    ...Object.values(all).map((payload) => [...start.slice(0, 1), payload]),
  ];
}

/** Runs a session in each way of cutting its input, and compares events and output. */
function compare(role: Role, cuts: readonly (readonly (Bytes | number)[])[]): void {
  let first: string | undefined;
  let error: unknown;
  for (const steps of cuts) {
    const session = new ToySession(role);
    error = undefined;
    try {
      for (const step of steps) {
        if (typeof step === "number") act(session, step);
        else session.receive(step);
      }
    } catch (thrown) {
      error = thrown;
      checkFailure(session, thrown);
    }
    const outcome = `${session.events.map(({ type }) => type).join()} ${String(error)} ${toHex(session.output)}`;
    first ??= outcome;
    if (outcome !== first) throw new Error(`expected the same for every chunking, got ${first} and ${outcome}`);
  }
  if (error !== undefined) throw error;
}

/** A call in the wrong state is the program's mistake, and changes nothing. */
function act(session: ToySession, at: number): void {
  try {
    actions[at % actions.length]?.(session);
  } catch (error) {
    if (!(error instanceof SshError && ["misuse", "closed", "limit"].includes(error.code))) throw error;
  }
  session.settle();
}

/** After an error, every call of `next` throws the same one, and input changes nothing. */
function checkFailure(session: ToySession, error: unknown): void {
  const { machine } = session;
  // An error of another call, such as `proceed`, ends the connection in the driver.
  if (session.failure !== error) return;
  machine.receive(utf8("more"));
  try {
    machine.next();
  } catch (again) {
    if (again === error) return;
  }
  throw new Error("expected the same error again");
}

function messages(role: Role): FuzzTarget {
  return {
    name: `session-${role}`,
    shape: "messages",
    sources,
    codes,
    seeds: () => conversations(otherRole(role)).map(inputOf),
    run(input) {
      const peer = new ToyPeer(otherRole(role));
      const steps: (Bytes | number)[] = [peer.identification()];
      for (const payload of messagesOf(input)) {
        if (payload.length === 0) continue;
        steps.push(payload[0] === action ? (payload[1] ?? 0) : peer.packet(payload));
      }
      const halves = steps.flatMap((step): (Bytes | number)[] =>
        typeof step === "number" ? [step] : [step.slice(0, step.length >> 1), step.slice(step.length >> 1)],
      );
      // Without calls of the program, all packets may come at once.
      const packets = steps.filter((step) => typeof step !== "number");
      const whole = packets.length === steps.length ? [[concat(...packets)]] : [];
      compare(role, [steps, halves, ...whole]);
    },
  };
}

function stream(role: Role): FuzzTarget {
  return {
    name: `stream-${role}`,
    sources: ["packages/transport/src/"],
    codes,
    seeds: () =>
      conversations(otherRole(role)).map((payloads) => {
        const peer = new ToyPeer(otherRole(role));
        const packets = payloads.filter(([number]) => number !== action).map((payload) => peer.packet(payload));
        return concat(peer.identification(), ...packets);
      }),
    run(input) {
      const sevens: Bytes[] = [];
      for (let at = 0; at < input.length; at += 7) sevens.push(input.slice(at, at + 7));
      compare(role, [[input], sevens]);
    },
  };
}

/** A pipe that delivers the input in two chunks, and ends. */
function delivering(input: Bytes): BytePipe {
  return {
    start(sink: PipeSink) {
      queueMicrotask(() => {
        sink.data(Uint8Array.from(input.subarray(0, input.length >> 1)));
        sink.data(Uint8Array.from(input.subarray(input.length >> 1)));
        sink.end();
      });
    },
    write: () => true,
    end() {},
    pause() {},
    resume() {},
    close() {},
    abort() {},
  };
}

/** Delivers the input as the proxy's answer. */
function proxy(name: string, server: ProxyServer, source: string, seeds: readonly Bytes[]): FuzzTarget {
  return {
    name,
    sources: [source, "packages/ssh/src/proxy/pipe-dialog.ts"],
    codes: ["connect"],
    seeds: () => seeds,
    async run(input) {
      await server.open(delivering(input), { host: "ssh.example.com", port: 22 });
    },
  };
}

/** Delivers the input as the request of a SOCKS client. Whatever it contains, `connect` gets a usable address. */
const socksServer: FuzzTarget = {
  name: "socks-server",
  sources: ["packages/ssh/src/proxy/socks-server.ts", "packages/ssh/src/proxy/pipe-dialog.ts"],
  codes: ["protocol", "connect", "denied"],
  seeds: () => [
    Uint8Array.of(5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 7, 0, 80),
    Uint8Array.of(5, 2, 2, 0, 5, 1, 0, 3, 2, 65, 66, 1, 187, 71, 69, 84),
    Uint8Array.of(5, 1, 0, 5, 1, 0, 4, 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80),
    Uint8Array.of(4, 1, 0, 80, 192, 0, 2, 7, 109, 101, 0),
    Uint8Array.of(4, 1, 0, 80, 0, 0, 0, 1, 0, 65, 66, 0),
  ],
  async run(input) {
    await acceptSocks(delivering(input), {
      connect({ host, port }) {
        const isUsable = port >= 1 && port <= 65_535 && host !== "" && !/[\p{Cc}\s/]/u.test(host);
        if (!isUsable) throw new Error(`expected a usable address, got ${JSON.stringify({ host, port })}`);
        throw new SshError("denied", "the test refuses all addresses");
      },
    });
  },
};

export const targets: readonly FuzzTarget[] = [
  messages("client"),
  messages("server"),
  stream("client"),
  stream("server"),
  proxy("socks5", socks5("socks5://me:secret@127.0.0.1:1080"), "packages/ssh/src/proxy/socks5.ts", [
    Uint8Array.of(5, 0, 5, 0, 0, 1, 1, 2, 3, 4, 0, 22),
    Uint8Array.of(5, 2, 1, 0, 5, 0, 0, 3, 2, 65, 66, 0, 22),
    Uint8Array.of(5, 255),
    Uint8Array.of(5, 0, 5, 5, 0, 1),
  ]),
  proxy("http-connect", httpConnect("http://127.0.0.1:3128"), "packages/ssh/src/proxy/http-connect.ts", [
    utf8("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-x\r\n"),
    utf8("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 407 Proxy Authentication Required\nVia: x\n\n"),
    utf8("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\n\r\nno\n"),
  ]),
  socksServer,
];
