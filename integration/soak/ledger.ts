/** The outcome of every connection of a soak, and whether a fault explains it. @module */

/** How one side ended: with all bytes, with an error, or cleanly before all bytes. */
export type Ending = "whole" | "cut" | "clean end too early";

/** A fault, and the time in which connections may end because of it. */
interface Window {
  readonly name: string;
  readonly from: number;
  to: number;
}

/** After a fault has ended, its effects may still arrive for this time. */
const graceMs = 5_000;

export class Ledger {
  /** The first violations. */
  readonly failures: string[] = [];
  readonly faults = new Map<string, number>();
  readonly recoveries: { readonly name: string; readonly ms: number }[] = [];
  bytes = 0;
  whole = 0;
  cut = 0;
  refused = 0;
  readonly #windows: Window[] = [];
  #latest: Window = { name: "none", from: Date.now(), to: 0 };

  fail(message: string): void {
    if (this.failures.length < 20) this.failures.push(`${message}; ${this.#last()}`);
  }

  /** Records the start of a fault. Returns a function that records its end. */
  fault(name: string, cuts: boolean): () => void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
    const window: Window = { name, from: Date.now(), to: Number.POSITIVE_INFINITY };
    this.#latest = window;
    if (cuts) this.#windows.push(window);
    return () => {
      window.to = Date.now() + graceMs;
    };
  }

  /** Records the end of a connection on both sides. */
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

  /** Records a visitor that could not connect. */
  refusal(port: number): void {
    this.refused++;
    if (!this.#explained()) this.fail(`nothing listened on port ${port} for no reason`);
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
