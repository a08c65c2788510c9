/** Ranges of message numbers (RFC 4251 section 7) and reason codes. @module */

/** The name of the range a message number belongs to. */
export type MessageRange = "transport" | "kex" | "auth" | "connection" | "local";

/** RFC 4251 section 7; `local` holds what is outside the other ranges. */
export function messageRange(number: number): MessageRange {
  if (number >= 1 && number <= 19) return "transport";
  if (number >= 20 && number <= 49) return "kex";
  if (number >= 50 && number <= 79) return "auth";
  if (number >= 80 && number <= 127) return "connection";
  return "local";
}

/** Reasons of CHANNEL_OPEN_FAILURE, RFC 4254 section 5.1. */
export const OpenFailureReason = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const;
