/** Numbers of sshd_config(5). @module */

/** Seconds of a time such as `90`, `1m30s` or `2w`. `undefined` for any other text. */
export function parseTime(text: string): number | undefined {
  if (text.length > 32 || !/^(?:\d+[smhdw]?)+$/i.test(text)) return undefined;
  const units: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
  let total = 0;
  for (const [, digits = "", unit = ""] of text.matchAll(/(\d+)([smhdw]?)/gi))
    total += Number(digits) * (units[unit.toLowerCase()] ?? 1);
  return total < 2 ** 31 ? total : undefined;
}

/** A port from 1 to 65535. 0 for any other text. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port <= 65_535 ? port : 0;
}
