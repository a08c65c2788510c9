/** What a visitor asks of the target with its first byte. @module */
export const orders = {
  /** write the pattern until the end */
  write: 1,
  /** take all, compare the first bytes with the pattern, count the rest */
  swallow: 2,
  echo: 3,
  /** answer 64 bytes with as many */
  short: 4,
  /** answer one byte, then nothing */
  idle: 5,
  /** never read again */
  deaf: 6,
  /** answer one byte; from `go` on, write the pattern: so many bytes (four bytes), or without end (0) */
  writeLater: 7,
  /** take all and count */
  count: 8,
} as const;

export const verifiedBytes: number = 2 << 20;

/** Bytes so far, and milliseconds on the clock that all processes share. */
export interface Count {
  readonly bytes: number;
  readonly at: number;
}

export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
