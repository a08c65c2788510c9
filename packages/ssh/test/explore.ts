/**
 * Explores every sequence of messages and calls over a session of each role. Sequences that lead to the same abstract
 * state are continued once. Runs in the bundle of `scripts/lib/fuzz`, which makes private members readable.
 * @module
 */
import { ToyPeer, ToySession, toyActions, toyMessages, toyPayloads } from "@postern/testkit";
import { SshError, toHex } from "@postern/wire";

type Role = "client" | "server";

/** The effect of one input in one state. */
export interface Transition {
  readonly from: string;
  /** the name of a message, or of a call of the program */
  readonly input: string;
  /** `ends: <code>`, or the events and the replies */
  readonly outcome: string;
  readonly to: string;
}

/** Everything that can be reached within a number of inputs. */
export interface Exploration {
  /** in the order of discovery, with the inputs that lead there */
  readonly states: ReadonlyMap<string, readonly string[]>;
  readonly transitions: readonly Transition[];
  /** sessions that were run */
  readonly runs: number;
  /** the length of the longest sequence that reached a new state */
  readonly depth: number;
}

const identification = "identification";
const otherRole = (role: Role): Role => (role === "client" ? "server" : "client");

/** Explores sequences of at most `maxDepth` inputs. @throws if an input causes anything but an event or an SshError */
export function explore(role: Role, maxDepth: number): Exploration {
  const inputs = [identification, ...Object.keys(toyMessages(otherRole(role))), ...Object.keys(toyActions)];
  const start = replay(role, []);
  const states = new Map([[stateOf(start.session, role), [] as readonly string[]]]);
  const transitions: Transition[] = [];
  let runs = 0;
  let depth = 0;
  for (const [from, path] of states) {
    if (path.length >= maxDepth || from === "ended") continue;
    let beginning: string | undefined;
    for (const input of inputs) {
      const { session, outcome, before } = replay(role, [...path, input]);
      runs++;
      beginning ??= before;
      if (before !== beginning) throw new Error(`${path.join(", ")}: expected the same output for the same input`);
      if (outcome === undefined) continue;
      const to = outcome.startsWith("ends") ? "ended" : stateOf(session, role);
      transitions.push({ from, input, outcome, to });
      if (states.has(to)) continue;
      states.set(to, [...path, input]);
      depth = path.length + 1;
    }
  }
  return { states, transitions, runs, depth };
}

/** Runs a sequence. Returns what the last input did; `undefined` if it is not possible there. */
function replay(
  role: Role,
  path: readonly string[],
): { readonly session: ToySession; readonly outcome?: string; readonly before: string } {
  const session = new ToySession(role);
  const peer = new ToyPeer(otherRole(role));
  const messages = toyMessages(otherRole(role));
  let outcome: string | undefined;
  let before = "";
  for (const [at, input] of path.entries()) {
    const isLast = at === path.length - 1;
    const events = session.events.length;
    const sent = isLast ? toyPayloads(session.output).length : 0;
    if (isLast) before = `${session.events.map(({ type }) => type).join()} ${toHex(session.output)}`;
    try {
      const action = toyActions[input];
      const payload = messages[input];
      if (action !== undefined) {
        action(session);
        session.settle();
      } else session.receive(payload === undefined ? peer.identification() : peer.packet(payload));
    } catch (error) {
      if (!(error instanceof SshError)) throw new Error(`${path.join(", ")}: ${String(error)}`, { cause: error });
      if (error.cause instanceof Error && error.cause.name !== "SshError") {
        throw new Error(`${path.join(", ")}: ${String(error.cause)}`, { cause: error });
      }
      // The program may not make this call here.
      if (toyActions[input] !== undefined && ["misuse", "closed"].includes(error.code)) return { session, before };
      return { session, outcome: `ends: ${error.code}`, before };
    }
    if (!isLast) continue;
    const told = session.events.slice(events).map(({ type }) => type);
    const replies = toyPayloads(session.output)
      .slice(sent)
      .map(([number = 0]) => `→ ${nameOf(number)}`);
    outcome = [...told, ...replies].join(", ") || "nothing";
  }
  return outcome === undefined ? { session, before } : { session, outcome, before };
}

/** The name of a message in its RFC. */
function nameOf(number: number): string {
  const [name] = Object.entries(toyMessages("client")).find(([, payload]) => payload[0] === number) ?? [];
  return (name ?? `message ${number}`).replace(/(?<=^USERAUTH_REQUEST).*/, "");
}

/** A value of a private member: `peek(session, "transport", "kex", "state", "at")`. */
function peek(from: unknown, ...names: readonly string[]): unknown {
  let value = from;
  for (const name of names) {
    if (typeof value !== "object" || value === null) return undefined;
    const fields = value as Record<string, unknown>;
    const key = `__${name}` in fields ? `__${name}` : name;
    if (!(key in fields)) throw new Error(`expected a member ${name}; has it been renamed?`);
    value = fields[key];
  }
  return value;
}

/** Names the state: those of the machines, and counters up to 1. */
function stateOf({ machine }: ToySession, role: Role): string {
  const transport = peek(machine, "transport");
  const parts: string[] = [];
  if (peek(transport, "disconnected") === true) return "disconnected";
  parts.push(peek(transport, "versionReader") === undefined ? "" : "version");
  const kex = String(peek(transport, "kex", "state", "at"));
  if (kex !== "idle") parts.push(kex);
  // Strict key exchange requires that KEXINIT comes first.
  if (kex === "expectInit" && Number(peek(transport, "strayMessages")) > 0) parts.push("stray");
  parts.push(peek(transport, "kex", "completed") === true ? "" : "first");
  if (peek(transport, "kex", "completed") !== true && peek(transport, "kex", "strict") === true) parts.push("strict");
  const auth = String(peek(machine, role === "client" ? "authClient" : "authServer", "state", "at"));
  const at = String(peek(machine, "at"));
  if (at === "auth") parts.push(auth);
  if (at === "auth" && role === "client" && peek(machine, "authClient", "serviceAccepted") !== true) {
    parts.push("no service");
  }
  if (at === "open") parts.push("open", ...channelsOf(machine));
  return parts.filter((part) => part !== "").join(", ");
}

/** The first channel, and requests that wait. */
function channelsOf(machine: unknown): string[] {
  const channels = peek(machine, "connection", "channels") as ReadonlyMap<number, unknown>;
  const first = channels.get(0);
  const parts: string[] = [];
  if (first !== undefined) {
    const { at, abandoned, ...directions } = peek(first, "phase") as {
      readonly at: string;
      readonly abandoned?: boolean;
    };
    parts.push(["channel", abandoned === true ? "abandoned" : at, ...Object.values(directions)].join(" "));
    if (Number(peek(first, "pendingReplies")) > 0) parts.push("reply pending");
  }
  const pending = peek(machine, "connection", "globalRequests", "pending") as readonly unknown[];
  if (pending.length > 0) parts.push("global reply pending");
  return parts;
}
