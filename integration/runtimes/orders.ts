/** What the test process and the program in a runtime tell each other, over HTTP. @module */

/** What the program is to do. */
export interface Orders {
  /** the SSH host, at 127.0.0.1 */
  readonly port: number;
  readonly user: string;
  /** the text of an OpenSSH key file */
  readonly privateKey: string;
  readonly fingerprint: string;
  /** of a key the host has not */
  readonly wrongFingerprint: string;
  readonly visitors: number;
  /** what each visitor sends, and gets back */
  readonly bytes: number;
  /** after so many bytes in one direction keys are exchanged anew */
  readonly rekeyBytes: number;
}

/** What the program found. */
export interface Report {
  readonly version: string;
  readonly scenario: ScenarioReport | { readonly error: string };
  readonly vectors: VectorsReport;
}

export interface ScenarioReport {
  /** while the visitors were served */
  readonly ms: number;
  /** both ways */
  readonly bytes: number;
  readonly rekeys: number;
}

export interface VectorsReport {
  readonly passed: number;
  /** titles and errors */
  readonly failed: readonly string[];
}

/** The test process, as the program sees it. */
export interface Control {
  readonly orders: Orders;
  /** Has visitors come to the port; resolves when all of them have got what they should. */
  visit(port: number): Promise<void>;
  /** Whether anybody listens on the port. */
  isListening(port: number): Promise<boolean>;
  report(report: Report): Promise<void>;
}

/** Asks the test process at that URL for its orders. */
export async function takeOrders(url: string): Promise<Control> {
  const ask = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(new URL(path, url), { method: "POST", body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${text}`);
    return JSON.parse(text);
  };
  return {
    orders: (await ask("/orders", {})) as Orders,
    visit: async (port) => void (await ask("/visit", { port })),
    isListening: async (port) => (await ask("/listening", { port })) as boolean,
    report: async (report) => void (await ask("/report", report)),
  };
}
