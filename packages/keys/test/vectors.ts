/** Loads test-vectors/keys. */
import { type KeyVector, loadKeyVectors, loadVectors, type UnreadVector } from "@postern/testkit/vectors";

export const keyVectors = loadKeyVectors();
export const unreadVectors = loadVectors("keys", "unread").vectors as readonly UnreadVector[];

/** Returns the first vector of a key type. */
export function vectorOf(type: string): KeyVector {
  const found = keyVectors.find(([name]) => name === type);
  if (!found) throw new Error(`no vector of ${type}`);
  return found[1];
}
