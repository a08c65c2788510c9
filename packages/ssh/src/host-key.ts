/** What a client does with the host key apart from the key exchange: order its algorithms, pass on announcements. @module */
import type { Algorithms } from "@postern/crypto";
import { Limits, maxTimerMs, SshError, toSshError } from "@postern/wire";
import { deferred, onAbort } from "./deferred.ts";
import type { ClientOptions, HostKeyOption } from "./options.ts";

const announcement = "hostkeys-00@openssh.com";

/** Returns the option as an object. */
export function hostKeyOf({ hostKey }: ClientOptions): HostKeyOption {
  return typeof hostKey === "function" ? { check: hostKey } : hostKey;
}

/**
 * Moves the host key algorithms that the program prefers to the front.
 *
 * @throws SshError `timeout` if that takes longer than the login may; the signal's reason if it aborts
 */
export async function orderAlgorithms(options: ClientOptions, hostKey: HostKeyOption): Promise<Algorithms> {
  const { algorithms, signal, loginTimeoutMs = Limits.loginTimeoutMs } = options;
  const { hostKeys } = algorithms;
  const ordered = deferred<readonly string[]>();
  const late = new SshError("timeout", `expected the order of host key algorithms within ${loginTimeoutMs} ms`);
  const timer = setTimeout(() => ordered.reject(late), Math.min(loginTimeoutMs, maxTimerMs));
  const stopListening = onAbort(signal, () => ordered.reject(signal?.reason));
  const ask = async () => (await hostKey.algorithms?.(hostKeys.map(({ name }) => name))) ?? [];
  void ask().then(ordered.resolve, (error: unknown) =>
    ordered.reject(toSshError(error, "hostkey", "the program failed to order the host key algorithms")),
  );
  try {
    const names = await ordered.promise;
    const rank = ({ name }: { readonly name: string }) => (names.includes(name) ? names.indexOf(name) : names.length);
    return { ...algorithms, hostKeys: hostKeys.toSorted((a, b) => rank(a) - rank(b)) };
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
