/** The option `hostKey` of a client: it chooses algorithms and gets announcements of host keys. @module */
import type { Algorithms } from "@postern/crypto";
import { maxTimerMs, SshError, toSshError } from "@postern/wire";
import * as Limits from "@postern/wire/limits";
import { deferred, onAbort } from "./deferred.ts";
import { type ClientOptions, checkAlgorithms, type HostKeyOption } from "./options.ts";

const announcement = "hostkeys-00@openssh.com";

/** Returns the option as an object. */
export function hostKeyOf({ hostKey }: ClientOptions): HostKeyOption {
  return typeof hostKey === "function" ? { check: hostKey } : hostKey;
}

/**
 * Returns the algorithms with the host key algorithms that the program chooses for this server.
 *
 * @throws SshError `timeout` if that takes longer than the login may; the signal's reason if it aborts
 */
export async function chooseAlgorithms(options: ClientOptions, hostKey: HostKeyOption): Promise<Algorithms> {
  const { algorithms, signal, loginTimeoutMs = Limits.loginTimeoutMs } = options;
  const chosen = deferred<Algorithms["hostKeys"]>();
  const late = new SshError("timeout", `expected the host key algorithms within ${loginTimeoutMs} ms, got none`);
  const timer = setTimeout(() => chosen.reject(late), Math.min(loginTimeoutMs, maxTimerMs));
  const stopListening = onAbort(signal, () => chosen.reject(signal?.reason));
  const choose = async () => (await hostKey.algorithms?.(algorithms.hostKeys)) ?? [];
  void choose().then(chosen.resolve, (error: unknown) =>
    chosen.reject(toSshError(error, "hostkey", "the program failed to choose host key algorithms")),
  );
  try {
    return checkAlgorithms({ ...algorithms, hostKeys: await chosen.promise });
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

/** Returns a handler of global requests that passes announcements of host keys on, and others to the program. */
export function requestHandler(options: ClientOptions, hostKey: HostKeyOption): ClientOptions["onGlobalRequest"] {
  const { onGlobalRequest } = options;
  if (hostKey.announced === undefined) return onGlobalRequest;
  return (request, connection) => {
    if (request.name === announcement) {
      // The server does not need to know what becomes of its keys.
      request.accept();
      hostKey.announced?.(request.specificData, connection);
    } else if (onGlobalRequest === undefined) request.refuse();
    else onGlobalRequest(request, connection);
  };
}
