/** A request that gave no answer, and whether it is worth another try. */

export class Failure extends Error {
  constructor(
    /** HTTP status; 0 when no answer came at all; 200 when the answer could not be understood. */
    readonly status: number,
    /** What the server said, may be empty. */
    readonly detail: string,
    /** Seconds that the server asks to wait, or null. */
    readonly retryAfter: number | null = null,
  ) {
    super(`${status} ${detail}`);
  }

  /** Busy, not ready, too slow or unreachable: later it may work. Everything else stays as it is. */
  get passing(): boolean {
    return [0, 429, 503, 504].includes(this.status);
  }
}

/** Seconds of a `Retry-After` header (RFC 9110, section 10.2.3): a number or a date; null when there is none or it is neither. */
export function retryAfter(header: string | null, now: number = Date.now()): number | null {
  if (header === null || header.trim() === "") return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}
