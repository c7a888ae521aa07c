import { describe, expect, it } from "vitest";
import { Failure } from "../src/core/failure";
import { LONGEST_PAUSE, Line, type Retry, pause, pauseBefore, patiently } from "../src/core/queue";

/** Fails with the given failures in turn, then answers. */
function flaky(failures: Error[]) {
  const calls = { count: 0 };
  const send = async (): Promise<string> => {
    const failure = failures[calls.count++];
    if (failure) throw failure;
    return "answer";
  };
  return { calls, send };
}

describe("patiently", () => {
  it("waits as long as the server asks, else doubles", async () => {
    const { calls, send } = flaky([new Failure(429, "full", 7), new Failure(503, ""), new Failure(0, ""), new Failure(504, "")]);
    const waited: number[] = [];
    const told: Retry[] = [];
    const sleep = async (seconds: number): Promise<void> => void waited.push(seconds);
    expect(await patiently(send, { tries: 5, sleep, onRetry: (retry) => told.push(retry) })).toBe("answer");
    expect(waited).toEqual([7, 2, 4, 8]);
    expect(told.map(({ attempt, of }) => [attempt, of])).toEqual([[1, 5], [2, 5], [3, 5], [4, 5]]);
    expect(calls.count).toBe(5);
  });

  it("gives up after the last try, without a pause", async () => {
    const { calls, send } = flaky(Array.from({ length: 9 }, () => new Failure(429, "full")));
    const waited: number[] = [];
    await expect(patiently(send, { tries: 3, sleep: async (s) => void waited.push(s) })).rejects.toMatchObject({ status: 429 });
    expect([calls.count, waited]).toEqual([3, [1, 2]]);
  });

  it("does not repeat what cannot succeed", async () => {
    for (const failure of [new Failure(413, ""), new Failure(422, ""), new Failure(401, ""), new Error("bug")]) {
      const { calls, send } = flaky([failure]);
      await expect(patiently(send, { tries: 5, sleep: async () => undefined })).rejects.toBe(failure);
      expect(calls.count).toBe(1);
    }
  });

  it("stops in the middle of a pause", async () => {
    const abort = new AbortController();
    const { calls, send } = flaky([new Failure(429, "", 50)]);
    const running = patiently(send, { tries: 5, signal: abort.signal, onRetry: () => setTimeout(() => abort.abort(new Error("removed")), 5) });
    await expect(running).rejects.toThrow("removed");
    expect(calls.count).toBe(1);
  });
});

it("bounds pauses", () => {
  expect([1, 2, 3, 9].map((attempt) => pauseBefore(attempt, null))).toEqual([1, 2, 4, LONGEST_PAUSE]);
  expect(pauseBefore(1, 3600)).toBe(LONGEST_PAUSE);
  expect(pauseBefore(1, 0)).toBe(0.2); // never a storm of requests
});

it("an aborted signal ends a pause before it begins", async () => {
  await expect(pause(60, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
});

it("a line runs so many at a time, in order, and survives a job that throws", async () => {
  const line = new Line(2);
  const log: string[] = [];
  let running = 0;
  let most = 0;
  await new Promise<void>((finish) => {
    for (let job = 0; job < 7; job++) {
      line.add(async () => {
        log.push(`start ${job}`);
        most = Math.max(most, ++running);
        await pause(0.002 * ((job * 5) % 3));
        running--;
        if (job === 6) finish();
        if (job === 2) throw new Error("broken");
      });
    }
  });
  expect(log).toEqual([0, 1, 2, 3, 4, 5, 6].map((job) => `start ${job}`));
  expect(most).toBe(2);
});
