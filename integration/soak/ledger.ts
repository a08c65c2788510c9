/** What came of every connection of a soak, and whether a fault explains it. @module */

/** Who ended how: everything was there and then the end, the end came too early, or an error did. */
export type Ending = "whole" | "cut" | "clean end too early";

/** A fault, and the time in which connections may end because of it. */
interface Window {
  readonly name: string;
  readonly from: number;
  to: number;
}

/** After a fault is over, the news of it may still be on their way. */
const graceMs = 5_000;

export class Ledger {
  /** what must not happen; the first of many are enough to know */
  readonly failures: string[] = [];
  readonly faults = new Map<string, number>();
  readonly recoveries: { readonly name: string; readonly ms: number }[] = [];
  bytes = 0;
  whole = 0;
  cut = 0;
  refused = 0;
  readonly #windows: Window[] = [];
  #latest: Window = { name: "none", from: Date.now(), to: 0 };

  fail(what: string): void {
    if (this.failures.length < 20) this.failures.push(`${what}; ${this.#last()}`);
  }

  /** A fault begins. Gives what is to be called when all is well again. */
  fault(name: string, cuts: boolean): () => void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
    const window: Window = { name, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.#latest = window;
    if (cuts) this.#windows.push(window);
    return () => {
      window.to = Date.now() + graceMs;
    };
  }

  /** A connection is over, on both sides. */
  conversation(id: number, visitor: Ending, target: Ending | "never came"): void {
    if (visitor === "whole" && target === "whole") {
      this.whole++;
      return;
    }
    this.cut++;
    if (!this.#explained()) {
      this.fail(`connection ${id} ended for no reason (visitor: ${visitor}, target: ${target})`);
    }
  }

  /** A visitor found nobody on the port. */
  refusal(port: number): void {
    this.refused++;
    if (!this.#explained()) this.fail(`nobody listened on port ${port} for no reason`);
  }

  #explained(): boolean {
    const now = Date.now();
    while (this.#windows.length > 1 && (this.#windows[0]?.to ?? now) < now - 60_000) this.#windows.shift();
    return this.#windows.some(({ from, to }) => from <= now && now <= to);
  }

  #last(): string {
    const { name, from } = this.#latest;
    return `the latest fault, ${Date.now() - from} ms before: ${name}`;
  }
}
