/** The messages between the test process and the program in a runtime, over HTTP. @module */

/** The task of the program. */
export interface Orders {
  /** The port of the SSH server, at 127.0.0.1. */
  readonly port: number;
  /** The port of a SOCKS proxy, at 127.0.0.1, if there is one. */
  readonly proxyPort: number | undefined;
  readonly user: string;
  /** The text of an OpenSSH key file. */
  readonly privateKey: string;
  readonly fingerprint: string;
  /** The fingerprint of a key that the server does not have. */
  readonly wrongFingerprint: string;
  readonly visitors: number;
  /** The number of bytes that each visitor sends and receives. */
  readonly bytes: number;
  /** The number of bytes in one direction after which a rekey starts. */
  readonly rekeyBytes: number;
  /** Whether to run the vectors, too. */
  readonly vectors: boolean;
}

/** The results of the program. */
export interface Report {
  readonly version: string;
  readonly scenario: ScenarioReport | { readonly error: string };
  /** Missing if they were not ordered. */
  readonly vectors?: VectorsReport;
}

export interface ScenarioReport {
  /** While the visitors were served. */
  readonly ms: number;
  /** In both directions. */
  readonly bytes: number;
  readonly rekeys: number;
}

export interface VectorsReport {
  readonly passed: number;
  /** Titles and errors. */
  readonly failed: readonly string[];
}

/** The interface of the test process for the program. */
export interface Control {
  readonly orders: Orders;
  /** Starts visitors of the port, by default all. Resolves when they have received the expected bytes. */
  visit(port: number, count?: number): Promise<void>;
  /** Returns whether the port is open. */
  isListening(port: number): Promise<boolean>;
  report(report: Report): Promise<void>;
}

/** Fetches the orders from the test process at that URL. */
export async function takeOrders(url: string): Promise<Control> {
  const ask = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(new URL(path, url), { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${text}`);
    return JSON.parse(text);
  };
  return {
    orders: (await ask("/orders", {})) as Orders,
    visit: async (port, count) => void (await ask("/visit", { port, count })),
    isListening: async (port) => (await ask("/listening", { port })) as boolean,
    report: async (report) => void (await ask("/report", report)),
  };
}
