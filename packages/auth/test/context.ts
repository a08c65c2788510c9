/** The context of a login, for tests of methods. */
import { type Bytes, utf8 } from "@postern/wire";
import type { AuthContext, AuthStep } from "../src/index.ts";

export const context: AuthContext = {
  user: "test",
  sessionId: new Uint8Array(32),
  hostKey: utf8("host key"),
  signature: utf8("signature"),
  serverAlgorithms: undefined,
  hostbound: false,
  refusalsLeft: 5,
  signal: undefined,
};

/** Returns the payload of a step. */
export function payloadOf(step: AuthStep): Bytes {
  if (step instanceof Uint8Array) return step;
  throw new Error("expected a payload, got methods or nothing");
}
