/** The orders that a visitor sends to the target in its first byte. @module */
export const orders = {
  /** Write the pattern until the end. */
  write: 1,
  /** Read all, compare the first bytes with the pattern, and count the rest. */
  swallow: 2,
  echo: 3,
  /** Answer 64 bytes with 64 bytes. */
  short: 4,
  /** Answer one byte, then do nothing. */
  idle: 5,
  /** Stop reading. */
  deaf: 6,
  /** Answer one byte. After `go`, write the pattern: the number of bytes in the next four bytes, or 0 for no end. */
  writeLater: 7,
  /** Read and count all bytes. */
  count: 8,
} as const;

export const verifiedBytes: number = 2 << 20;

/** A number of bytes, and the time in milliseconds on a clock that all processes share. */
export interface Count {
  readonly bytes: number;
  readonly at: number;
}

export function clockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
