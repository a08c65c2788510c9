/** The client: trusting the host key and logging in (RFC 4253 section 8, RFC 4252). @module */
import type { AuthDialog, AuthStep, MaybePromise } from "@postern/auth";
import { identification } from "@postern/transport";
import { type Bytes, SshError, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import type { BytePipe } from "./byte-pipe.ts";
import { Connection } from "./connection.ts";
import { chooseAlgorithms, hostKeyOf, requestHandler } from "./host-key.ts";
import { type ClientOptions, checkAuth, checkClient, type HostKeyOption, orDrop, rekeyLimits } from "./options.ts";
import { type SessionEvent, SessionMachine } from "./session-machine.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { defaultSoftware } from "./version.ts";

/**
 * Logs in to the SSH server at the other end of a pipe (takes it).
 *
 * @throws SshError whose `code` names the step that failed: `version`, `negotiation`, `hostkey`, `auth`, `timeout`, …;
 * `signal.reason` if aborted
 */
export async function connect(pipe: BytePipe, options: ClientOptions): Promise<SshConnection> {
  orDrop(pipe, () => {
    checkClient(options);
    options.signal?.throwIfAborted();
  });
  const hostKey = hostKeyOf(options);
  if (hostKey.algorithms === undefined) return await login(pipe, options, hostKey);
  const started = performance.now();
  const algorithms = await chooseAlgorithms(options, hostKey).catch((error: unknown) =>
    orDrop(pipe, () => {
      throw error;
    }),
  );
  const { loginTimeoutMs = Limits.loginTimeoutMs } = options;
  const remaining = Math.max(1, Math.round(loginTimeoutMs - (performance.now() - started)));
  return await login(pipe, { ...options, algorithms, loginTimeoutMs: remaining }, hostKey);
}

async function login(pipe: BytePipe, options: ClientOptions, hostKey: HostKeyOption): Promise<SshConnection> {
  const now = options.now ?? (() => performance.now());
  const over = new AbortController();
  const session = orDrop(
    pipe,
    () =>
      new SessionMachine({
        role: "client",
        algorithms: options.algorithms,
        random: options.random,
        hostKeys: [],
        guess: options.guess,
        version: identification(options.software ?? defaultSoftware),
        rekey: rekeyLimits(options.rekey),
        now: now(),
        tap: options.tap,
        login: { user: options.user, methods: options.auth, signal: over.signal },
      }),
  );
  const onGlobalRequest = requestHandler(options, hostKey);
  const connection = new Connection(pipe, session, { ...options, onGlobalRequest }, now, (event, self) =>
    loginEvent(event, self, session, options, hostKey),
  );
  try {
    return await connection.open(options.user);
  } catch (error) {
    // Login methods may still wait, for example for their user.
    over.abort(error);
    throw error;
  }
}

function loginEvent(
  event: SessionEvent,
  connection: Connection,
  session: SessionMachine,
  options: ClientOptions,
  hostKeyOption: HostKeyOption,
): void {
  switch (event.type) {
    case "verify": {
      const { verdict, algorithm } = event;
      const failed = (cause: unknown): never => {
        const message = `expected the ${algorithm} signature of the host key to be verified, got an error`;
        throw new SshError("kex", message, { cause });
      };
      connection.decide(
        () => Promise.resolve(verdict).catch(failed),
        (good) => session.verified(good),
      );
      return;
    }
    case "hostKey": {
      const { hostKey, algorithm } = event;
      const { hostKeys: algorithms } = options.algorithms;
      connection.decide(
        async () => {
          try {
            const certificate = algorithms.find(({ name }) => name === algorithm)?.readCertificate?.(hostKey);
            return await hostKeyOption.check({ hostKey, algorithm, certificate, algorithms });
          } catch (error) {
            throw toSshError(error, "hostkey", `expected hostKey to decide about the ${algorithm} key, got an error`);
          }
        },
        (trusted) => {
          // Only `true` accepts the key, because a check may forget to return a value.
          if (trusted !== true) {
            throw new SshError(
              "hostkey",
              `expected hostKey to return true for the ${algorithm} key, got another value`,
            );
          }
          session.acceptHostKey();
          options.onLogin?.(connection);
        },
      );
      return;
    }
    case "step": {
      const auth = session.authClient;
      connection.decide(
        () => runStep(event.dialog, event.answer),
        (step) => {
          if ("why" in step) auth?.giveUp(step.why, step.cause);
          else auth?.proceed(step.result);
          if (session.canPipeline) connection.releaseRequests();
        },
      );
      return;
    }
    case "notice":
      options.onNotice?.(event.message);
      return;
    case "banner":
      options.onBanner?.(event.message);
      return;
    case "authenticated":
      connection.loginDone(options.user);
      return;
    default:
      throw new SshError("misuse", `expected no event ${event.type} on a client`);
  }
}

type Step = { readonly result: AuthStep } | { readonly why: string; readonly cause: unknown };

/** Runs one step of a login method. If the method is synchronous, its request is sent in one write with our NEWKEYS. */
function runStep(dialog: AuthDialog, answer: Bytes | undefined): MaybePromise<Step> {
  const checked = (result: AuthStep): Step => {
    if (result !== undefined && !(result instanceof Uint8Array)) checkAuth([result].flat());
    return { result };
  };
  const failed = (error: unknown): Step => {
    // The next method may work, unless the peer broke the protocol.
    if (error instanceof SshError && error.code === "protocol") throw error;
    return { why: error instanceof Error ? error.message : String(error), cause: error };
  };
  try {
    const result = dialog.next(answer);
    return result instanceof Promise ? result.then(checked).catch(failed) : checked(result);
  } catch (error) {
    return failed(error);
  }
}
