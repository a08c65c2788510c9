/** The forwardings of a master: those of its command line, and those of its clients. @module */
import { isSameForward, listensAtSame, type MuxEnd, type MuxForward, type OpenedForward } from "./forward.ts";

interface Entry {
  readonly forward: MuxForward;
  readonly opened: Promise<OpenedForward>;
}

/** Opens each forwarding once, and finds it again. */
export class ForwardTable {
  readonly #open: (forward: MuxForward) => Promise<OpenedForward>;
  readonly #entries = new Set<Entry>();

  constructor(open: (forward: MuxForward) => Promise<OpenedForward>) {
    this.#open = open;
  }

  /** Whether the forwarding is open, or about to be. */
  has(forward: MuxForward): boolean {
    return this.#find(forward) !== undefined;
  }

  /** Opens a forwarding, or returns the one that is open. Rejects as the function of the constructor does. */
  async open(forward: MuxForward): Promise<OpenedForward> {
    const found = this.#find(forward);
    if (found !== undefined) return await found.opened;
    const entry: Entry = { forward, opened: this.#open(forward) };
    this.#entries.add(entry);
    try {
      return await entry.opened;
    } catch (error) {
      this.#entries.delete(entry);
      throw error;
    }
  }

  /** Closes a forwarding. Returns `false` if there is none. Rejects if it cannot be closed. */
  async close(forward: MuxForward): Promise<boolean> {
    return await this.#close(this.#find(forward));
  }

  /** Closes the forwarding of a port or path, wherever its connections go. Returns and rejects as `close`. */
  async closeAt(type: MuxForward["type"], listen: MuxEnd): Promise<boolean> {
    const isAt = ({ forward }: Entry): boolean => forward.type === type && listensAtSame(forward.listen, listen);
    return await this.#close([...this.#entries].find(isAt));
  }

  async #close(entry: Entry | undefined): Promise<boolean> {
    if (entry === undefined) return false;
    // Before the first await, so that no other client closes it, or finds it open.
    this.#entries.delete(entry);
    const opened = await entry.opened;
    await opened.close();
    return true;
  }

  #find(forward: MuxForward): Entry | undefined {
    return [...this.#entries].find((one) => isSameForward(one.forward, forward));
  }
}
