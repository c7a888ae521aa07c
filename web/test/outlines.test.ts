import { expect, it } from "vitest";
import { PALETTE, objectColors, paintObjects } from "../src/core/outlines";
import { rgb } from "../src/core/paint";

const row = (id: number, name: string, color: string) => ({ id, name, color, pixels: 0, share: 0, area: null });
const object = (id: number, className: string) => ({ id, className, score: null, pixels: 1, area: null });
const map = (rows: number[][]) => ({ width: rows[0]?.length ?? 0, height: rows.length, ids: Uint16Array.from(rows.flat()) });

const classes = [row(0, "background", "#000000"), row(1, "cell", "#ff0000"), row(2, "mud", "#00ff00")];
const ids = map([
  [1, 1, 1, 2, 0, 0, 0, 0, 0],
  [1, 1, 1, 2, 0, 0, 0, 0, 0],
  [1, 1, 1, 0, 0, 0, 0, 3, 0],
  [1, 1, 1, 0, 0, 0, 0, 0, 0],
]);
const labels = map([
  [1, 1, 1, 1, 0, 0, 0, 0, 0],
  [1, 1, 1, 1, 0, 0, 0, 0, 0],
  [1, 1, 1, 2, 2, 0, 0, 1, 0],
  [1, 1, 1, 2, 2, 0, 0, 0, 0],
]);
const rows = [object(1, "cell"), object(2, "cell"), object(3, "cell")];

it("outlines objects, fills stuff, and tells neighbours apart", () => {
  const colors = objectColors(ids, rows, [classes[1]!]);
  expect(colors.get(1)).not.toBe(colors.get(2));
  const { rgba } = paintObjects(labels, { ids, rows }, classes, new Set([0]));
  const pixel = (x: number, y: number): number[] => [...rgba.subarray(4 * (9 * y + x), 4 * (9 * y + x) + 4)];
  expect(pixel(2, 1)).toEqual([...rgb(colors.get(1)!), 255]); // it borders on object 2
  expect(pixel(1, 2)).toEqual([...rgb(colors.get(1)!), 50]); // inside, and the edge of the picture is no border
  expect(pixel(0, 0)).toEqual([...rgb(colors.get(1)!), 50]);
  expect(pixel(3, 2)).toEqual([0, 255, 0, 128]);
  expect(pixel(5, 0)).toEqual([0, 0, 0, 0]);
});

it("hides the objects of a hidden class", () => {
  const { rgba } = paintObjects(labels, { ids, rows }, classes, new Set([0, 1]));
  expect([...rgba].filter((_, i) => i % 4 === 3).filter((alpha) => alpha > 0)).toHaveLength(4); // the mud
});

it("takes the colours of classes where there are several", () => {
  const two = [object(1, "cell"), object(2, "mud"), object(3, "cell")];
  expect([...objectColors(ids, two, [classes[1]!, classes[2]!]).values()]).toEqual(["#ff0000", "#00ff00", "#ff0000"]);
});

it("repeats a colour when all are taken", () => {
  const line = map([Array.from({ length: 12 }, (_, i) => i + 1)]);
  const many = Array.from({ length: 12 }, (_, i) => object(i + 1, "cell"));
  const colors = [...objectColors(line, many, []).values()];
  expect(new Set(colors).size).toBe(PALETTE.length);
  for (let i = 1; i < 12; i++) expect(colors[i]).not.toBe(colors[i - 1]);
});

it("thins ids as it thins masks", () => {
  const { width, height } = paintObjects(labels, { ids, rows }, classes, new Set([0]), 10);
  expect([width, height]).toEqual([5, 2]);
});
