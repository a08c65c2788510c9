import { SshError } from "@postern/wire";
import { expect, test } from "vitest";
import { encodeOpenMetrics } from "../src/open-metrics.ts";

test("writes TYPE, HELP and samples of each family, and # EOF (OpenMetrics 1.0, Text format)", () => {
  const text = encodeOpenMetrics([
    { name: "host_clients", type: "gauge", help: "Connected clients.", samples: [{ value: 3 }] },
    {
      name: "host_logins",
      type: "counter",
      help: "Login attempts.",
      samples: [
        { labels: { method: "publickey", outcome: "accepted" }, value: 2 },
        { labels: { method: "password", outcome: "refused" }, value: 0 },
      ],
    },
  ]);
  expect(text).toBe(`# TYPE host_clients gauge
# HELP host_clients Connected clients.
host_clients 3
# TYPE host_logins counter
# HELP host_logins Login attempts.
host_logins_total{method="publickey",outcome="accepted"} 2
host_logins_total{method="password",outcome="refused"} 0
# EOF
`);
});

test("escapes backslashes, quotes and line ends in labels and help (OpenMetrics 1.0, escaping)", () => {
  const samples = [{ labels: { user: 'a"b\\c\nd' }, value: 1 }];
  const text = encodeOpenMetrics([{ name: "x", type: "gauge", help: 'say "hi"\n\\', samples }]);
  expect(text).toBe('# TYPE x gauge\n# HELP x say \\"hi\\"\\n\\\\\nx{user="a\\"b\\\\c\\nd"} 1\n# EOF\n');
});

test("writes infinite and undefined numbers as OpenMetrics does", () => {
  const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0.5, 2 ** 53];
  const text = encodeOpenMetrics([{ name: "x", type: "gauge", help: "", samples: values.map((value) => ({ value })) }]);
  expect(text.split("\n").slice(2, -2)).toEqual(["x +Inf", "x -Inf", "x NaN", "x 0.5", "x 9007199254740992"]);
});

test("writes # EOF alone without families", () => {
  expect(encodeOpenMetrics([])).toBe("# EOF\n");
});

test("rejects names that the format does not allow, and counters below zero", () => {
  const family = { name: "x", type: "counter", help: "", samples: [{ value: 1 }] } as const;
  expect(() => encodeOpenMetrics([{ ...family, name: "a b" }])).toThrow(SshError);
  expect(() => encodeOpenMetrics([{ ...family, samples: [{ labels: { 'a"': "" }, value: 1 }] }])).toThrow(SshError);
  expect(() => encodeOpenMetrics([{ ...family, samples: [{ value: -1 }] }])).toThrow(/at least 0, got -1/);
  expect(() => encodeOpenMetrics([{ ...family, samples: [{ value: Number.NaN }] }])).toThrow(SshError);
});
