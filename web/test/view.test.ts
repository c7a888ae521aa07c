import { describe, expect, it } from "vitest";
import { LARGEST_SCALE, centred, fit, pan, pinch, pixelAt, zoomAt } from "../src/core/view";

const picture = { width: 300, height: 200 };
const screen = { width: 900, height: 500 };

describe("fit", () => {
  it("takes the tighter side and centres the other", () => {
    // 900/300 = 3, 500/200 = 2.5; what is left of the width is 900 - 750
    expect(fit(picture, screen)).toEqual({ scale: 2.5, x: 75, y: 0 });
  });

  it("enlarges a tiny picture eight times at most", () => {
    expect(fit({ width: 7, height: 5 }, screen)).toEqual({ scale: 8, x: (900 - 56) / 2, y: (500 - 40) / 2 });
  });

  it("survives a picture without pixels", () => {
    expect(fit({ width: 0, height: 0 }, screen).scale).toBe(8);
    expect(fit(picture, { width: 0, height: 0 }).scale).toBe(1);
  });
});

describe("zoomAt", () => {
  it("keeps the pixel below the pointer", () => {
    const before = { scale: 1.5, x: -20, y: 13 };
    for (const factor of [0.7, 1.1, 3, 9]) {
      const at = { x: 211.25, y: 97.5 };
      const after = zoomAt(before, factor, at, picture, screen);
      expect(after.scale).toBeCloseTo(1.5 * factor);
      expect((at.x - after.x) / after.scale).toBeCloseTo((at.x - before.x) / before.scale);
      expect((at.y - after.y) / after.scale).toBeCloseTo((at.y - before.y) / before.scale);
    }
  });

  it("ends at the largest scale and at half of the fitting one", () => {
    expect(zoomAt(fit(picture, screen), 1e6, { x: 5, y: 5 }, picture, screen).scale).toBe(LARGEST_SCALE);
    expect(zoomAt(fit(picture, screen), 1e-6, { x: 5, y: 5 }, picture, screen).scale).toBe(0.5);
    const large = { width: 9000, height: 100 };
    expect(zoomAt(fit(large, screen), 1e-6, { x: 5, y: 5 }, large, screen).scale).toBe(0.05);
  });
});

describe("pan", () => {
  it("moves by screen pixels", () => {
    expect(pan({ scale: 2, x: 10, y: 20 }, { x: -30, y: 7 }, picture, screen)).toEqual({ scale: 2, x: -20, y: 27 });
  });

  it("never loses the picture, whatever the direction", () => {
    const view = { scale: 2, x: 10, y: 20 };
    // 600 x 400 on the screen; 40 of it stay in sight
    expect(pan(view, { x: -1e6, y: -1e6 }, picture, screen)).toEqual({ scale: 2, x: 40 - 600, y: 40 - 400 });
    expect(pan(view, { x: 1e6, y: 1e6 }, picture, screen)).toEqual({ scale: 2, x: 900 - 40, y: 500 - 40 });
    // a picture of 7 x 5 stays in sight as a whole
    const tiny = { width: 7, height: 5 };
    expect(pan({ scale: 1, x: 0, y: 0 }, { x: -99, y: 1e6 }, tiny, screen)).toEqual({ scale: 1, x: 0, y: 495 });
  });
});

describe("pixelAt", () => {
  it("inverts the view and knows the border", () => {
    const view = { scale: 4, x: 100, y: 50 };
    expect(pixelAt(view, { x: 100, y: 50 }, picture)).toEqual({ x: 0, y: 0 });
    expect(pixelAt(view, { x: 111.9, y: 54.1 }, picture)).toEqual({ x: 2, y: 1 });
    expect(pixelAt(view, { x: 99.9, y: 60 }, picture)).toBeNull();
    expect(pixelAt(view, { x: 100 + 4 * 299, y: 50 + 4 * 199 }, picture)).toEqual({ x: 299, y: 199 });
    expect(pixelAt(view, { x: 100 + 4 * 300, y: 60 }, picture)).toBeNull();
  });
});

it("centres at a given scale", () => {
  expect(centred(picture, screen, 1)).toEqual({ scale: 1, x: 300, y: 150 });
});

it("two fingers: ratio of their distances, and the point between them", () => {
  const before = [{ x: 0, y: 0 }, { x: 30, y: 40 }] as const;
  const now = [{ x: 0, y: 0 }, { x: 60, y: 80 }] as const;
  expect(pinch(before, now)).toEqual({ factor: 2, at: { x: 30, y: 40 } });
  expect(pinch([now[0], now[0]], now).factor).toBe(100); // both on one spot: no division by zero
});
