import { describe, expect, it } from "vitest";
import { AnswerError, fromBase64, readAnswer, readError, readModels } from "../src/core/answer";
import { Failure, retryAfter } from "../src/core/failure";

const good = {
  model: { name: "nuclei", version: "0123456789ab" },
  size_hw: [5, 7],
  classes: [
    { id: 0, name: "background", color: "#000000", pixels: 30, share: 30 / 35, area: null },
    { id: 1, name: "<b>cell</b>", color: "#E62f10", pixels: 5, share: 1 / 7, area: { value: 1.25, unit: "mm²" } },
  ],
  mask_png: Buffer.from([137, 80, 0, 255]).toString("base64"),
  confidence: 0.875,
  seconds: { queue: 0.001, total: 0.2 },
  warnings: ["the picture is much darker than those of training"],
};

describe("readAnswer", () => {
  it("keeps height and width apart", () => {
    const answer = readAnswer(structuredClone(good));
    expect([answer.width, answer.height]).toEqual([7, 5]);
    expect([...answer.mask]).toEqual([137, 80, 0, 255]);
    expect(answer.classes[1]).toEqual(good.classes[1]);
    expect(answer.confidence).toBe(0.875);
  });

  it("allows what may be absent", () => {
    const { confidence, seconds, warnings, ...rest } = good;
    const answer = readAnswer(rest);
    expect([answer.confidence, answer.seconds, answer.warnings]).toEqual([null, {}, []]);
  });

  it("reads objects where the model tells them apart", () => {
    expect(readAnswer(structuredClone(good)).objects).toBe(null);
    const rows = [{ id: 1, class: "cell", score: 0.5, pixels: 9, area: { value: 2.25, unit: "mm²" }, box_xywh: [1, 2, 3, 3] }];
    const told = { ...good, objects: { count: 1, classes: { cell: 1 }, rows }, instances_png: good.mask_png };
    const { objects } = readAnswer(told);
    expect(objects?.rows).toEqual([{ id: 1, className: "cell", score: 0.5, pixels: 9, area: { value: 2.25, unit: "mm²" } }]);
    expect(objects?.counts).toEqual({ cell: 1 });
    expect([...(objects?.ids ?? [])]).toEqual([137, 80, 0, 255]);
    expect(readAnswer({ ...told, instances_png: undefined }).objects?.ids).toBe(null);
    expect(() => readAnswer({ ...told, instances_png: "***" })).toThrow("instances_png");
    expect(() => readAnswer({ ...told, objects: { ...told.objects, rows: [{ ...rows[0], pixels: -1 }] } })).toThrow("objects.rows.pixels");
  });

  const broken: [string, (answer: any) => void][] = [
    ["model", (a) => delete a.model],
    ["size_hw", (a) => a.size_hw.push(3)],
    ["size_hw", (a) => (a.size_hw[0] = -5)],
    ["colour", (a) => (a.classes[1].color = "red;background:url(//evil)")],
    ["classes.pixels", (a) => (a.classes[0].pixels = 1.5)],
    ["classes.share", (a) => (a.classes[0].share = null)],
    ["mask_png", (a) => (a.mask_png = "***")],
    ["confidence", (a) => (a.confidence = "high")],
    ["warnings", (a) => (a.warnings = "one")],
  ];
  for (const [where, damage] of broken) {
    it(`names ${where}`, () => {
      const answer = structuredClone(good);
      damage(answer);
      expect(() => readAnswer(answer)).toThrow(AnswerError);
      expect(() => readAnswer(answer)).toThrow(where);
    });
  }

  it("does not take another kind of document", () => {
    for (const value of [null, [], "x", 3]) expect(() => readAnswer(value)).toThrow("answer is not an object");
  });
});

it("reads models from a list or an object", () => {
  const row = { name: "a", version: "1", architecture: "unet", ready: false, runtime: "onnx" };
  expect(readModels([row])).toEqual([row]);
  expect(readModels({ models: [{ name: "a" }] })).toEqual([{ name: "a", version: "", architecture: "", ready: true, runtime: "" }]);
  expect(() => readModels({ models: 3 })).toThrow(AnswerError);
});

it("reads every shape of error", () => {
  expect(readError({ error: { code: "too_large", message: "no" } })).toEqual({ code: "too_large", message: "no" });
  expect(readError({ error: "no" })).toEqual({ code: "", message: "no" });
  for (const value of [null, "<html>", { error: 5 }, { error: { message: 5 } }]) expect(readError(value)).toEqual({ code: "", message: "" });
});

it("decodes base64 to bytes", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
  expect(fromBase64(Buffer.from(all).toString("base64"))).toEqual(all);
});

it("reads Retry-After in seconds and as a date", () => {
  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  expect(retryAfter("3", now)).toBe(3);
  expect(retryAfter("Fri, 02 Jan 2026 03:04:35 GMT", now)).toBe(30);
  expect(retryAfter("Fri, 02 Jan 2026 03:00:00 GMT", now)).toBe(0);
  for (const none of [null, "", "soon"]) expect(retryAfter(none, now)).toBeNull();
});

it("knows which failures pass", () => {
  const passing = [0, 200, 400, 401, 403, 404, 413, 415, 422, 429, 500, 503, 504].filter((status) => new Failure(status, "").passing);
  expect(passing).toEqual([0, 429, 503, 504]);
});
