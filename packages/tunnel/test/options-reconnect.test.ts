/** The options of keepalive, reconnection and self check: errors name what is misspelt or out of range. */
import { expect, it } from "vitest";
import type { ReverseTunnel } from "../src/index.ts";
import { createTunnel, World } from "./world/index.ts";

const make = (options: object): ReverseTunnel => createTunnel(new World(), options);

it.each([
  [{ keepalive: {} }, 'unknown option "keepalive" of ReverseTunnel: did you mean "keepAlive"?'],
  [{ keepAlive: { interval: 1 } }, 'unknown option "interval" of keepAlive: did you mean "intervalMs"?'],
  [{ keepAlive: { maxCount: 1 } }, 'unknown option "maxCount" of keepAlive'],
  [{ keepAlive: { countmax: 1 } }, 'unknown option "countmax" of keepAlive: did you mean "countMax"?'],
  [{ autoReconnect: true }, 'unknown option "autoReconnect" of ReverseTunnel: did you mean "reconnect"?'],
  [{ reconnect: { retries: 1 } }, 'unknown option "retries" of reconnect: did you mean "maxRetries"?'],
  [{ reconnect: { intervalMS: 1 } }, 'unknown option "intervalMS" of reconnect: did you mean "intervalMs"?'],
  [{ reconnect: { backOff: {} } }, 'unknown option "backOff" of reconnect: did you mean "backoff"?'],
  [
    { reconnect: { backoff: { maxInterval: 1 } } },
    'unknown option "maxInterval" of reconnect.backoff: did you mean "maxIntervalMs"?',
  ],
  [{ reconnect: { backoff: { jiter: 0 } } }, 'unknown option "jiter" of reconnect.backoff: did you mean "jitter"?'],
  [{ selfcheck: { intervalMs: 1 } }, 'unknown option "selfcheck" of ReverseTunnel: did you mean "selfCheck"?'],
  [{ selfCheck: { interval: 1 } }, 'unknown option "interval" of selfCheck: did you mean "intervalMs"?'],
  [{ beforeReconect: () => {} }, 'unknown option "beforeReconect" of ReverseTunnel: did you mean "beforeReconnect"?'],
])("rejects %j", (options, message) => {
  expect(() => make(options)).toThrow(
    expect.objectContaining({ code: "misuse", message: expect.stringContaining(message) }),
  );
});

it.each([
  [{ keepAlive: { intervalMs: -1 } }, "keepAlive.intervalMs"],
  [{ keepAlive: { intervalMs: "30" } }, "keepAlive.intervalMs"],
  [{ keepAlive: { countMax: 0 } }, "keepAlive.countMax"],
  [{ keepAlive: 30 }, "keepAlive"],
  [{ reconnect: { mode: "allways" } }, "reconnect.mode"],
  [{ reconnect: { mode: 1 } }, "reconnect.mode"],
  [{ reconnect: "always" }, "reconnect"],
  [{ reconnect: { intervalMs: Number.NaN } }, "reconnect.intervalMs"],
  [{ reconnect: { maxRetries: -1 } }, "reconnect.maxRetries"],
  [{ reconnect: { backoff: { factor: 0.5 } } }, "reconnect.backoff.factor"],
  [{ reconnect: { backoff: { maxIntervalMs: -1 } } }, "reconnect.backoff.maxIntervalMs"],
  [{ reconnect: { backoff: { jitter: -0.1 } } }, "reconnect.backoff.jitter"],
  [{ selfCheck: { intervalMs: -1 } }, "selfCheck.intervalMs"],
  [{ beforeReconnect: { host: "other" } }, "beforeReconnect"],
  [{ host: undefined, hosts: [] }, "hosts"],
  [{ host: "host", hosts: ["other"] }, "hosts"],
  [{ host: undefined, hosts: [{ host: "other", prot: 22 }] }, 'did you mean "port"?'],
])("rejects %j, and names %s", (options, name) => {
  expect(() => make(options)).toThrow(
    expect.objectContaining({ code: "misuse", message: expect.stringContaining(name) }),
  );
});

it.each([
  {},
  { keepAlive: { intervalMs: 0 } },
  { keepAlive: { countMax: Number.POSITIVE_INFINITY } },
  { keepAlive: undefined, reconnect: undefined, selfCheck: undefined, beforeReconnect: undefined },
  { reconnect: { mode: undefined, intervalMs: undefined, maxRetries: undefined, backoff: undefined } },
  { reconnect: { maxRetries: 0, intervalMs: 0, backoff: { jitter: 0, factor: 1, maxIntervalMs: 0 } } },
  { host: undefined, hosts: ["a", { host: "b" }, { host: "c", port: 2222 }, { host: "d", port: undefined }] },
])("accepts %j", (options) => {
  expect(make(options).state).toBe("new");
});
