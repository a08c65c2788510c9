/** The memory and channels of a worker's clients, which the primary adds up over all workers. @module */
import { setRef } from "@postern/ssh";
import { type Exceeded, HostBudget, type UserResource } from "../host-budget.ts";
import type { HostLimits } from "../limits.ts";
import type { UserUsage } from "./messages.ts";

/**
 * How long a change may wait for others. A limit over all workers may be exceeded by what several workers promise in
 * this time.
 */
const reportMs = 10;

/** Counts the channels of a worker, and reports changes. The primary counts connections, ports and clients' memory. */
export class WorkerBudget extends HostBudget {
  readonly #report: (users: readonly UserUsage[]) => void;
  readonly #changed = new Set<string>();

  constructor(limits: () => HostLimits, report: (users: readonly UserUsage[]) => void) {
    super(limits);
    this.#report = report;
  }

  override takeMemory(bytes: number, user?: string): Exceeded | undefined {
    const exceeded = super.takeMemory(bytes, user);
    if (exceeded === undefined && user !== undefined) this.#change(user);
    return exceeded;
  }

  override returnMemory(bytes: number, user?: string): void {
    super.returnMemory(bytes, user);
    if (user !== undefined) this.#change(user);
  }

  override take(user: string, what: UserResource): Exceeded | undefined {
    const exceeded = super.take(user, what);
    if (exceeded === undefined) this.#change(user);
    return exceeded;
  }

  override giveBack(user: string, what: UserResource): void {
    super.giveBack(user, what);
    this.#change(user);
  }

  #change(user: string): void {
    this.#changed.add(user);
    if (this.#changed.size > 1) return;
    const timer = setTimeout(() => {
      const users = [...this.#changed];
      this.#changed.clear();
      this.#report(
        users.map((one) => {
          const { memory, channels } = this.usedBy(one);
          return [one, memory, channels];
        }),
      );
    }, reportMs);
    setRef(timer, false);
  }
}
