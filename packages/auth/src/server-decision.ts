/** Attempts to log in, and the decisions of the program about them. @module */
import type { SecurityKeyUse } from "@postern/crypto";
import type { Bytes } from "@postern/wire";

/** A login attempt of a client. The program accepts or rejects it. */
export type AuthAttempt =
  | { readonly method: "none"; readonly user: string }
  | { readonly method: "password"; readonly user: string; readonly password: string }
  /** if `proved` is `false`, the client asks whether the key is acceptable; if `true`, its signature is verified */
  | {
      readonly method: "publickey";
      readonly user: string;
      readonly publicKey: Bytes;
      readonly algorithm: string;
      readonly proved: boolean;
      /** what a security key signed about its use; only if `proved` */
      readonly securityKey?: SecurityKeyUse | undefined;
    }
  /** call `ask`, then decide (RFC 4256); `submethods` are hints of the client */
  | { readonly method: "keyboard-interactive"; readonly user: string; readonly submethods: readonly string[] };

/**
 * The decision about an attempt: accepted, refused, or accepted with more methods required (RFC 4252 section 5.1).
 * `partial` lists the methods that can continue. It enforces no order: check `passed` before accepting a later attempt.
 * A key that was accepted with `partial` is not accepted again, not even with a certificate.
 */
export type AuthDecision =
  | boolean
  | { readonly partial: readonly string[]; readonly noTouchRequired?: boolean | undefined }
  /** accepts, even if the signature is of a security key that was not touched; `true` refuses that */
  | { readonly noTouchRequired: true };

export function allowsUntouched(decision: unknown): boolean {
  if (typeof decision !== "object" || decision === null || !("noTouchRequired" in decision)) return false;
  return decision.noTouchRequired === true && (!("partial" in decision) || requiredMethods(decision) !== undefined);
}

/** Returns the methods of a partial decision, or `undefined` for any other value, because JavaScript may pass any. */
export function requiredMethods(decision: unknown): readonly string[] | undefined {
  if (typeof decision !== "object" || decision === null || !("partial" in decision)) return undefined;
  const { partial } = decision;
  if (!Array.isArray(partial)) return undefined;
  const names: readonly unknown[] = partial;
  return names.length > 0 && names.every((name) => typeof name === "string") ? names : undefined;
}
