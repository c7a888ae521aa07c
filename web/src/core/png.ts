/** Class ids out of a mask PNG.
 *
 * A canvas would give colours, and two classes may share one; so the file itself is read. PNG, third edition
 * (https://www.w3.org/TR/png-3/): chunks (section 5), zlib stream (10), filters (9). Palette pictures of 1, 2, 4, 8 bits and gray
 * ones of 1 to 16 bits are understood, without interlacing: all that a label file can be.
 */

export interface LabelMap {
  readonly width: number;
  readonly height: number;
  /** Class ids, row by row. */
  readonly ids: Uint8Array | Uint16Array;
}

export class MaskError extends Error {}

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GRAY = 0;
const PALETTE = 3;

/** Whether a file begins as a PNG of 16 bits. Instruments use few of their values, and browsers show those as black. */
export function isDeepPng(start: Uint8Array): boolean {
  return SIGNATURE.every((value, index) => start[index] === value) && start[24] === 16;
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
}

/** Read a mask PNG. Throws `MaskError` with what is wrong with the file. */
export async function readLabels(bytes: Uint8Array<ArrayBuffer>): Promise<LabelMap> {
  if (SIGNATURE.some((value, index) => bytes[index] !== value)) throw new MaskError("the mask is no PNG file");
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | null = null;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = data.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (body.length < length) throw new MaskError("the mask file is cut off");
    if (kind === "IHDR") header = readHeader(body);
    else if (kind === "IDAT") parts.push(body);
    else if (kind === "IEND") break;
    at += 12 + length;
  }
  if (header === null) throw new MaskError("the mask file has no header");
  return unfilter(await inflate(parts), header);
}

function readHeader(body: Uint8Array): Header {
  if (body.length !== 13) throw new MaskError("the header of the mask file is damaged");
  const data = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [depth, color, , , interlace] = body.subarray(8);
  const known = color === PALETTE ? [1, 2, 4, 8] : color === GRAY ? [1, 2, 4, 8, 16] : [];
  if (!known.includes(depth ?? 0)) throw new MaskError(`the mask has colour type ${color} with ${depth} bits, not class ids`);
  if (interlace !== 0) throw new MaskError("the mask is interlaced");
  return { width: data.getUint32(0), height: data.getUint32(4), depth: depth ?? 8 };
}

async function inflate(parts: readonly Uint8Array<ArrayBuffer>[]): Promise<Uint8Array> {
  const stream = new Blob([...parts]).stream().pipeThrough(new DecompressionStream("deflate"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new MaskError("the pixels of the mask file are damaged");
  }
}

/** Undo the filter of each row in place, then unpack the samples. */
function unfilter(raw: Uint8Array, { width, height, depth }: Header): LabelMap {
  const stride = Math.ceil((width * depth) / 8);
  const step = depth === 16 ? 2 : 1;
  if (raw.length !== (stride + 1) * height) throw new MaskError("the mask file has another size than its header says");
  const ids = depth === 16 ? new Uint16Array(width * height) : new Uint8Array(width * height);
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    const row = raw.subarray(start + 1, start + 1 + stride);
    unfilterRow(raw[start] ?? 0, row, above, step);
    unpack(row, ids, y * width, width, depth);
    above = row as Uint8Array<ArrayBuffer>;
  }
  return { width, height, ids };
}

function unfilterRow(filter: number, row: Uint8Array, above: Uint8Array, step: number): void {
  if (filter > 4) throw new MaskError(`the mask file has the unknown filter ${filter}`);
  if (filter === 0) return;
  for (let i = 0; i < row.length; i++) {
    const left = i < step ? 0 : (row[i - step] as number);
    const up = above[i] as number;
    const corner = i < step ? 0 : (above[i - step] as number);
    const guess =
      filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
    row[i] = ((row[i] as number) + guess) & 255;
  }
}

/** The neighbour that is nearest to left + up - corner; ties go to left, then up (PNG section 9.4). */
function paeth(left: number, up: number, corner: number): number {
  const near = Math.abs(up - corner);
  const far = Math.abs(left - corner);
  const both = Math.abs(left + up - 2 * corner);
  if (near <= far && near <= both) return left;
  return far <= both ? up : corner;
}

function unpack(row: Uint8Array, ids: Uint8Array | Uint16Array, start: number, width: number, depth: number): void {
  if (depth === 8) {
    ids.set(row, start);
  } else if (depth === 16) {
    for (let x = 0; x < width; x++) ids[start + x] = ((row[2 * x] as number) << 8) | (row[2 * x + 1] as number);
  } else {
    const perByte = 8 / depth;
    const mask = (1 << depth) - 1;
    for (let x = 0; x < width; x++) {
      const shift = 8 - depth * ((x % perByte) + 1);
      ids[start + x] = ((row[Math.floor(x / perByte)] as number) >> shift) & mask;
    }
  }
}
