import { describe, expect, it } from "vitest";
import { Failure } from "../src/core/failure";
import { downloadNames, stem } from "../src/core/names";
import { decimal, duration, grouped, measured, percent } from "../src/core/numbers";
import { Rate } from "../src/core/rate";
import { failureWords, resultWords, retryWords, timeWords } from "../src/strings";

describe("numbers", () => {
  it("groups thousands", () => {
    expect([0, 999, 1000, 1_234_567].map(grouped)).toEqual(["0", "999", "1\u202f000", "1\u202f234\u202f567"]);
  });

  it("never calls something nothing, nor almost all all", () => {
    expect([0, 1e-7, 0.01234, 0.5, 0.98766, 0.999999, 1].map(percent)).toEqual(["0 %", "< 0.01 %", "1.23 %", "50 %", "98.8 %", "> 99.99 %", "100 %"]);
  });

  it("keeps three digits of a measure", () => {
    expect([0, 0.0012345, 1.2, 12.345, 123_456, 1e-12].map(measured)).toEqual(["0", "0.00123", "1.2", "12.3", "123\u202f456", "1.00e-12"]);
  });

  it("drops zeros behind the point, not before it", () => {
    expect([decimal(10, 0), decimal(10.04, 1), decimal(1.25, 1)]).toEqual(["10", "10", "1.3"]);
    expect([duration(0.0123), duration(1.5), duration(75.04)]).toEqual(["12 ms", "1.5 s", "75 s"]);
  });
});

describe("download names", () => {
  it("drops folder and suffix", () => {
    expect(["a.jpg", "x/y.z/b.tar.gz", ".hidden", "none", "c:\\d\\e.bmp"].map(stem)).toEqual(["a", "b.tar", ".hidden", "none", "e"]);
  });

  it("keeps the suffix where stems collide, as limner predict does", () => {
    expect(downloadNames(["a.jpg", "a.png", "b.tif"])).toEqual(["a.jpg.png", "a.png.png", "b.png"]);
  });

  it("never gives one name twice, not even by case", () => {
    const names = downloadNames(["a.jpg", "a.jpg", "A.JPG", "a.jpg-2"]);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(4);
  });

  it("leaves nothing that a file system refuses", () => {
    const names = downloadNames(['<img src=x onerror="a">.png', "../../etc/passwd", "\u0000\n.png", "", "...", `${"x".repeat(500)}.png`]);
    for (const name of names) expect(name).toMatch(/^[^\u0000-\u001f<>:"/\\|?*]{1,124}$/);
    expect(names.slice(1, 2)).toEqual(["passwd.png"]);
  });
});

describe("sentences", () => {
  it("has other words for each status, and the server's own behind them", () => {
    const statuses = [0, 200, 401, 403, 404, 413, 415, 422, 429, 503, 504, 500];
    const words = statuses.map((status) => failureWords(new Failure(status, "at most 3 MiB")));
    expect(new Set(words).size).toBe(statuses.length);
    for (const each of words) expect(each.endsWith(" The server says: at most 3 MiB.")).toBe(true);
    expect(failureWords(new Failure(413, ""))).toBe("This picture is too large for this server.");
  });

  it("says why it waits, how long, and which try comes", () => {
    const retry = { attempt: 2, of: 6, seconds: 3.2, failure: new Failure(429, "") };
    expect(retryWords(retry)).toBe("The server is busy; trying again in 4 s (try 3 of 6)");
    expect(retryWords({ ...retry, failure: new Failure(0, "") })).toContain("did not answer");
  });

  it("reads out a result", () => {
    expect(resultWords("a.png", [{ name: "cell", share: "3 %" }], 2)).toBe("a.png is done: cell 3 %. 2 warnings.");
    expect(timeWords({ total: 2, queue: 0.01 })).toBe("queue 10 ms, total 2 s");
  });
});

it("counts frames of the last seconds only", () => {
  const rate = new Rate(1000);
  expect(rate.perSecond()).toBeNull();
  rate.tick(0);
  expect(rate.perSecond()).toBeNull();
  for (const time of [5000, 5100, 5200, 5300]) rate.tick(time);
  expect(rate.perSecond()).toBeCloseTo(10);
});
