/** Connects to the server as ssh does: ConnectTimeout, ConnectionAttempts, AddressFamily, BindAddress. @module */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type BytePipe, dialPipe, type HostAddress } from "@postern/node";
import type { PipeSink } from "@postern/ssh";
import { SshError } from "@postern/wire";
import type { SshLog } from "./log.ts";
import { describeSystemError } from "./system-errors.ts";

type Endpoint = { readonly host: string; readonly port: number };
type DialCall = { readonly signal: AbortSignal };

/** Options of {@link createDialer}. */
export interface DialerOptions {
  readonly log: SshLog;
  /** dials instead of TCP: a ProxyCommand */
  readonly dial?: ((server: Endpoint, call: DialCall) => Promise<BytePipe>) | undefined;
  readonly addressFamily: "any" | "inet" | "inet6";
  readonly bindAddress?: string | undefined;
  readonly bindInterface?: string | undefined;
  /** seconds until the server must have sent its identification; default: no limit */
  readonly connectTimeout?: number | undefined;
  readonly connectionAttempts: number;
}

/** Dials a server, and remembers where it is. */
export interface Dialer {
  /** the address and port of the last connection, or `UNKNOWN` and 65535 as in ssh if a command leads there */
  readonly address: Endpoint;
  /** our side of it; `undefined` if a command leads there */
  readonly local: Endpoint | undefined;
  dial(server: Endpoint, call: DialCall): Promise<BytePipe>;
}

/** An error whose message is the line that ssh prints. */
export class DialError extends SshError {}

/** Creates the function that connects. Its errors are {@link DialError}s. */
export function createDialer(options: DialerOptions): Dialer {
  const { log, connectTimeout = 0, connectionAttempts } = options;
  const dialer: { -readonly [Name in keyof Dialer]: Dialer[Name] } = {
    address: { host: "UNKNOWN", port: 65_535 },
    local: undefined,
    dial,
  };
  return dialer;

  async function dial(server: Endpoint, call: DialCall): Promise<BytePipe> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await dialOnce(server, call);
      } catch (error) {
        call.signal.throwIfAborted();
        if (attempt >= Math.max(1, connectionAttempts)) throw error;
        log.write("debug1", "Trying again...");
        await sleep(1000, undefined, call);
      }
    }
  }

  async function dialOnce(server: Endpoint, call: DialCall): Promise<BytePipe> {
    const started = performance.now();
    const leftMs = (): number | undefined =>
      connectTimeout > 0 ? Math.max(1, 1000 * connectTimeout - (performance.now() - started)) : undefined;
    const { dial: base } = options;
    const pipe = base === undefined ? await connect(server, call, leftMs()) : await base(server, call);
    log.write("debug1", "Connection established.");
    const ms = leftMs();
    return ms === undefined ? pipe : expectFirstBytes(pipe, ms, () => timeoutError(dialer.address));
  }

  async function connect({ host, port }: Endpoint, { signal }: DialCall, timeoutMs?: number): Promise<BytePipe> {
    const { addressFamily: family, bindAddress, bindInterface } = options;
    log.write("debug1", `Connecting to ${host} port ${port}.`);
    try {
      const localAddress = await sourceAddress(bindAddress, bindInterface, family);
      return await dialPipe(
        { host, port },
        {
          signal,
          timeoutMs,
          ...(localAddress !== undefined && { localAddress }),
          onConnected: ({ address }, local) => {
            dialer.address = { host: address, port };
            dialer.local = local;
          },
          lookup: (name) => addressesOf(name, familyOf(localAddress, family)),
        },
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof DialError) throw error;
      throw new DialError("connect", describeDial(host, port, error), { cause: error });
    }
  }
}

/** The line of ssh for an attempt that failed. */
function describeDial(host: string, port: number, error: unknown): string {
  const { code, cause } = error as SshError;
  if (code === "timeout") return `ssh: connect to host ${host} port ${port}: Connection timed out`;
  if (cause instanceof AggregateError) {
    const reason = describeSystemError(cause.errors.at(-1));
    return `ssh: connect to host ${host} port ${port}: ${reason}`;
  }
  return `ssh: Could not resolve hostname ${host}: ${describeSystemError(cause ?? error)}`;
}

function timeoutError({ host, port }: Endpoint): SshError {
  const line = `Connection timed out during banner exchange\nConnection to ${host} port ${port} timed out`;
  return new DialError("timeout", line);
}

async function addressesOf(name: string, family: 0 | 4 | 6): Promise<readonly HostAddress[]> {
  return await lookup(name, { all: true, verbatim: true, family });
}

function familyOf(localAddress: string | undefined, family: DialerOptions["addressFamily"]): 0 | 4 | 6 {
  const bound = isIP(localAddress ?? "");
  if (bound !== 0) return bound as 4 | 6;
  return ({ any: 0, inet: 4, inet6: 6 } as const)[family];
}

/** The address to connect from, by BindAddress or BindInterface. */
async function sourceAddress(
  bindAddress: string | undefined,
  bindInterface: string | undefined,
  family: DialerOptions["addressFamily"],
): Promise<string | undefined> {
  if (bindAddress !== undefined) {
    const [first] = await addressesOf(bindAddress, familyOf(undefined, family));
    return first?.address;
  }
  if (bindInterface === undefined) return undefined;
  const wanted = { any: undefined, inet: "IPv4", inet6: "IPv6" }[family];
  const addresses = networkInterfaces()[bindInterface] ?? [];
  const found = addresses.find((one) => wanted === undefined || one.family === wanted);
  if (found === undefined)
    throw new DialError("connect", `expected an address of the interface ${bindInterface}, got none`);
  return found.address;
}

/** Returns the pipe. Aborts it unless bytes arrive in time. */
function expectFirstBytes(pipe: BytePipe, ms: number, lateError: () => Error): BytePipe {
  const start = pipe.start.bind(pipe);
  let timer: NodeJS.Timeout | undefined = setTimeout(() => pipe.abort(lateError()), ms);
  const done = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  pipe.start = (sink: PipeSink, options) => {
    const watched: PipeSink = {
      ...(sink.memory !== undefined && { memory: sink.memory }),
      data(chunk) {
        if (timer !== undefined) done();
        sink.data(chunk);
      },
      end: () => sink.end(),
      drain: () => sink.drain(),
      closed(error) {
        done();
        sink.closed(error);
      },
    };
    start(watched, options);
  };
  return pipe;
}
