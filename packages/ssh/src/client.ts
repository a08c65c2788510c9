/** The client: trusting the host key and logging in (RFC 4253 section 8, RFC 4252). @module */
import type { AuthDialog, MaybePromise } from "@postern/auth";
import { identification } from "@postern/transport";
import { type Bytes, SshError, toSshError } from "@postern/wire";
import type { BytePipe } from "./byte-pipe.ts";
import { Connection } from "./connection.ts";
import { type ClientOptions, checkClient, orDrop, rekeyLimits } from "./options.ts";
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
  const now = options.now ?? (() => performance.now());
  const session = orDrop(
    pipe,
    () =>
      new SessionMachine({
        role: "client",
        algorithms: options.algorithms,
        random: options.random,
        hostKeys: [],
        version: identification(options.software ?? defaultSoftware),
        rekey: rekeyLimits(options.rekey),
        now: now(),
        login: { user: options.user, methods: options.auth, signal: options.signal },
      }),
  );
  const connection = new Connection(pipe, session, options, now, (event, self) =>
    loginEvent(event, self, session, options),
  );
  return await connection.open(options.user);
}

function loginEvent(
  event: SessionEvent,
  connection: Connection,
  session: SessionMachine,
  options: ClientOptions,
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
      connection.decide(
        async () => {
          try {
            const verifier = options.algorithms.hostKeys.find(({ name }) => name === algorithm);
            const certificate = verifier?.readCertificate?.(hostKey);
            return await options.hostKey({ hostKey, algorithm, certificate });
          } catch (error) {
            throw toSshError(
              error,
              "hostkey",
              `the host key (${algorithm}) was refused because the program's check threw an error`,
            );
          }
        },
        (trusted) => {
          // Only `true` accepts the key, because a check may forget to return a value.
          if (trusted !== true) throw new SshError("hostkey", `the host key (${algorithm}) was refused by the program`);
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
          else auth?.proceed(step.payload);
          if (session.takesEarly) connection.releaseRequests();
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

type Step = { readonly payload: Bytes | undefined } | { readonly why: string; readonly cause: unknown };

/** Runs one step of a login method. If the method is synchronous, its request is sent in one write with our NEWKEYS. */
function runStep(dialog: AuthDialog, answer: Bytes | undefined): MaybePromise<Step> {
  const failed = (error: unknown): Step => {
    // The next method may work, unless the peer broke the protocol.
    if (error instanceof SshError && error.code === "protocol") throw error;
    return { why: error instanceof Error ? error.message : String(error), cause: error };
  };
  try {
    const payload = dialog.next(answer);
    return payload instanceof Promise ? payload.then((value) => ({ payload: value }), failed) : { payload };
  } catch (error) {
    return failed(error);
  }
}
