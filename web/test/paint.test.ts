import { expect, it } from "vitest";
import { hiddenAtFirst, paint, rgb } from "../src/core/paint";

const row = (id: number, color: string) => ({ id, name: `c${id}`, color, pixels: 0, share: 0, area: null });
const classes = [row(0, "#0a0b0c"), row(1, "#ff8001"), row(300, "#00ff7f")];
const labels = { width: 3, height: 2, ids: Uint16Array.from([0, 1, 300, 1, 2, 0]) };
const pixels = (rgba: Uint8ClampedArray): number[][] => Array.from({ length: rgba.length / 4 }, (_, i) => [...rgba.subarray(4 * i, 4 * i + 4)]);

const CLEAR = [0, 0, 0, 0];
const ONE = [255, 128, 1, 255];
const MANY = [0, 255, 127, 255];

it("colours each id, leaves hidden and unknown ones clear", () => {
  expect(pixels(paint(labels, classes, new Set([0])).rgba)).toEqual([CLEAR, ONE, MANY, ONE, CLEAR, CLEAR]);
  expect(pixels(paint(labels, classes, new Set([1])).rgba)).toEqual([[10, 11, 12, 255], CLEAR, MANY, CLEAR, CLEAR, [10, 11, 12, 255]]);
});

it("thins out a mask that is too large, and keeps its shape", () => {
  const wide = { width: 7, height: 3, ids: Uint8Array.from({ length: 21 }, (_, i) => (i === 14 ? 1 : 0)) };
  const painted = paint(wide, classes, new Set([0]), 8); // 21 pixels do not fit into 8: every second row and column
  expect([painted.width, painted.height]).toEqual([4, 2]);
  expect(pixels(painted.rgba).map((pixel) => pixel[3])).toEqual([0, 0, 0, 0, 255, 0, 0, 0]);
});

it("ignores an id that no mask can hold", () => {
  expect(() => paint(labels, [row(70_000, "#ffffff")], new Set())).not.toThrow();
});

it("hides the background at first, unless it is all there is", () => {
  expect([...hiddenAtFirst(classes)]).toEqual([0]);
  expect([...hiddenAtFirst([row(0, "#000000")])]).toEqual([]);
});

it("reads colours", () => {
  expect(rgb("#fe0A10")).toEqual([254, 10, 16]);
});
