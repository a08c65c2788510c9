/** Checks of signatures in user authentication, by the server's machine. Runs in every runtime. @module */
import { AuthServerMachine } from "@postern/auth";
import type { PublicKeyAlgorithm } from "@postern/crypto";
import { fromHex, ServiceRequest, SshError, toHex, Writer } from "@postern/wire";
import { equal, isAccepted, testsOf, type Vector, type VectorFile, type VectorTest } from "./vector-checks.ts";

interface UserauthVector extends Vector {
  readonly sessionId: string;
  readonly hostKey: string;
  readonly request: string;
  readonly user: string;
  /** The signed bytes, if the request is valid. */
  readonly data?: string;
}

/** Sends each request to a server that accepts every key whose owner signed. */
export function userauthTests(file: VectorFile, algorithms: readonly PublicKeyAlgorithm[]): VectorTest[] {
  return testsOf<UserauthVector>(file, file.algorithm, (vector) => {
    equal(isProved(vector, algorithms), isAccepted(vector));
    if (vector.data === undefined) return;
    const session = toHex(new Writer().string(fromHex(vector.sessionId)).finish());
    equal(session + vector.request.slice(0, vector.data.length - session.length), vector.data);
  });
}

function isProved({ sessionId, hostKey, request, user }: UserauthVector, algorithms: readonly PublicKeyAlgorithm[]) {
  const sink = { writable: true, send: () => {} };
  const server = new AuthServerMachine({ sink, methods: ["publickey"], algorithms, banner: undefined });
  server.start(fromHex(sessionId), fromHex(hostKey));
  server.receive(ServiceRequest.encode({ service: "ssh-userauth" }));
  try {
    server.receive(fromHex(request));
  } catch (error) {
    if (error instanceof SshError) return false;
    throw error;
  }
  const event = server.next();
  if (event?.type !== "attempt" || event.attempt.method !== "publickey") return false;
  equal(event.attempt.user, user);
  return event.attempt.proved;
}
