import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MaskError, isDeepPng, readLabels } from "../src/core/png";

/** A PNG writer of its own: rows are filtered as asked, so that the reader meets every filter. */
function png(rows: number[][], { depth, color, filters = [0], interlace = 0 }: { depth: number; color: number; filters?: number[]; interlace?: number }) {
  const width = rows[0]?.length ?? 0;
  const packed = rows.map((row) => pack(row, depth));
  const step = depth === 16 ? 2 : 1;
  const raw = packed.flatMap((row, y) => {
    const filter = filters[y % filters.length] as number;
    const above = packed[y - 1] ?? row.map(() => 0);
    return [filter, ...row.map((value, i) => (value - guess(filter, row[i - step] ?? 0, above[i] as number, above[i - step] ?? 0)) & 255)];
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(rows.length, 4);
  header.set([depth, color, 0, 0, interlace], 8);
  const stream = deflateSync(Buffer.from(raw));
  const half = Math.floor(stream.length / 2); // two IDAT chunks: they are one stream
  return join([chunk("IHDR", header), chunk("PLTE", Buffer.from([0, 0, 0, 9, 9, 9])), chunk("IDAT", stream.subarray(0, half)), chunk("IDAT", stream.subarray(half)), chunk("IEND", Buffer.alloc(0))]);
}

function pack(row: number[], depth: number): number[] {
  if (depth === 16) return row.flatMap((value) => [value >> 8, value & 255]);
  const bits = row.map((value) => value.toString(2).padStart(depth, "0")).join("");
  return (bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, "0"), 2));
}

function guess(filter: number, left: number, up: number, corner: number): number {
  if (filter === 4) {
    const estimate = left + up - corner;
    const distances = [left, up, corner].map((value) => Math.abs(estimate - value));
    return [left, up, corner][distances.indexOf(Math.min(...distances))] as number;
  }
  return [0, left, up, Math.floor((left + up) / 2)][filter] as number;
}

function chunk(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length, 0);
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc32(Buffer.concat([Buffer.from(kind, "latin1"), body])) >>> 0, 0);
  return Buffer.concat([head, Buffer.from(kind, "latin1"), body, tail]);
}

function join(chunks: Buffer[]): Uint8Array<ArrayBuffer> {
  const whole = Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), ...chunks]);
  return new Uint8Array(whole); // its own memory, as fetch hands it out
}

/** 7 wide, 6 high, values below `limit`, no two rows alike. */
const sample = (limit: number): number[][] =>
  Array.from({ length: 6 }, (_, y) => Array.from({ length: 7 }, (_, x) => (x * 31 + y * y * 57 + x * y * 13) % limit));

describe("readLabels", () => {
  for (const depth of [1, 2, 4, 8]) {
    it(`unpacks a palette of ${depth} bits`, async () => {
      const rows = sample(2 ** depth);
      const found = await readLabels(png(rows, { depth, color: 3 }));
      expect([found.width, found.height]).toEqual([7, 6]);
      expect([...found.ids]).toEqual(rows.flat());
    });
  }

  it("undoes every filter", async () => {
    const rows = sample(256);
    for (const filters of [[1], [2], [3], [4], [4, 3, 2, 1, 0]])
      expect([...(await readLabels(png(rows, { depth: 8, color: 3, filters }))).ids]).toEqual(rows.flat());
  });

  it("reads gray of 16 bits, for more than 256 classes", async () => {
    const rows = sample(65_536);
    const found = await readLabels(png(rows, { depth: 16, color: 0, filters: [4, 1, 3] }));
    expect([...found.ids]).toEqual(rows.flat());
  });

  it("says what is wrong", async () => {
    const good = png(sample(4), { depth: 2, color: 3 });
    await expect(readLabels(new Uint8Array([1, 2, 3]))).rejects.toThrow("no PNG");
    await expect(readLabels(good.slice(0, 60))).rejects.toThrow(MaskError);
    await expect(readLabels(png(sample(4), { depth: 8, color: 2 }))).rejects.toThrow("colour type 2");
    await expect(readLabels(png(sample(4), { depth: 8, color: 3, interlace: 1 }))).rejects.toThrow("interlaced");
    await expect(readLabels(png(sample(4), { depth: 8, color: 3, filters: [5] }))).rejects.toThrow("filter 5");
    const lying = good.slice();
    lying[23] = 200; // height in the header
    await expect(readLabels(lying)).rejects.toThrow("another size");
    const damaged = good.slice();
    damaged.fill(7, 64, 70);
    await expect(readLabels(damaged)).rejects.toThrow(MaskError);
  });
});

it("tells pictures of 16 bits by their first bytes", () => {
  expect(isDeepPng(png(sample(9), { depth: 16, color: 0 }).subarray(0, 25))).toBe(true);
  expect(isDeepPng(png(sample(9), { depth: 8, color: 0 }).subarray(0, 25))).toBe(false);
  expect(isDeepPng(new Uint8Array(25).fill(16))).toBe(false);
  expect(isDeepPng(new Uint8Array(3))).toBe(false);
});
