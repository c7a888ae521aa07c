/** Requests in line: few at a time, those that were refused for now are tried again. */

import { Failure } from "./failure";

export interface Retry {
  /** First try = 1. */
  readonly attempt: number;
  readonly of: number;
  readonly seconds: number;
  readonly failure: Failure;
}

export interface Patience {
  /** Tries in all. */
  readonly tries: number;
  /** Told before each pause. */
  readonly onRetry?: (retry: Retry) => void;
  readonly signal?: AbortSignal;
  /** Replaced in tests. */
  readonly sleep?: (seconds: number, signal?: AbortSignal) => Promise<void>;
}

/** No pause is longer, whatever the server asks for: then the person decides. */
export const LONGEST_PAUSE = 60;

/** Seconds before the next try: what the server asked for, else 1, 2, 4, 8 ... */
export function pauseBefore(attempt: number, asked: number | null): number {
  return Math.min(asked === null ? 2 ** (attempt - 1) : Math.max(asked, 0.2), LONGEST_PAUSE);
}

/** Call `send` until it answers, fails for good, or the tries are used up; then its `Failure` is thrown. */
export async function patiently<T>(send: () => Promise<T>, patience: Patience): Promise<T> {
  const sleep = patience.sleep ?? pause;
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      const last = !(error instanceof Failure) || !error.passing || attempt >= patience.tries;
      if (last || patience.signal?.aborted) throw error;
      const seconds = pauseBefore(attempt, error.retryAfter);
      patience.onRetry?.({ attempt, of: patience.tries, seconds, failure: error });
      await sleep(seconds, patience.signal);
    }
  }
}

/** Wait; an abort ends the wait with its reason. */
export function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Jobs run in the order in which they came, at most `width` at the same time; a job that throws does not stop the others. */
export class Line {
  private readonly waiting: (() => Promise<void>)[] = [];
  private running = 0;

  constructor(private readonly width: number) {}

  add(job: () => Promise<void>): void {
    this.waiting.push(job);
    this.next();
  }

  private next(): void {
    if (this.running >= this.width) return;
    const job = this.waiting.shift();
    if (job === undefined) return;
    this.running++;
    void job()
      .catch(() => undefined)
      .finally(() => {
        this.running--;
        this.next();
      });
  }
}
