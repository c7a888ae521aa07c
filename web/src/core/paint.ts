/** Class ids in colour. */

import type { ClassRow } from "./answer";
import type { LabelMap } from "./png";

/** An overlay has at most this many pixels; larger masks are thinned out for the screen (never for the download). */
export const LARGEST_OVERLAY = 16_777_216;

export interface Painted {
  readonly width: number;
  readonly height: number;
  /** RGBA, row by row; alpha is 255 where a class is shown, else 0. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** Three numbers of "#rrggbb". */
export function rgb(color: string): [number, number, number] {
  const value = Number.parseInt(color.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/** Colour each pixel with its class.
 *
 * `hidden`: ids that stay clear; an id that the table does not know stays clear, too. A mask of more than `largest` pixels is thinned by
 * a whole step: every step-th pixel of every step-th row.
 */
export function paint(
  labels: LabelMap,
  classes: readonly ClassRow[],
  hidden: ReadonlySet<number>,
  largest: number = LARGEST_OVERLAY,
): Painted {
  const step = Math.max(1, Math.ceil(Math.sqrt((labels.width * labels.height) / largest)));
  const width = Math.ceil(labels.width / step);
  const height = Math.ceil(labels.height / step);
  const table = new Uint32Array(65_536); // one pixel of 32 bits per class id, in the byte order of this machine; 0 is clear
  const bytes = new Uint8Array(table.buffer);
  for (const { id, color } of classes) if (!hidden.has(id) && id < 65_536) bytes.set([...rgb(color), 255], 4 * id);
  const rgba = new Uint8ClampedArray(width * height * 4);
  const pixels = new Uint32Array(rgba.buffer);
  for (let y = 0, to = 0; y < height; y++) {
    const row = y * step * labels.width;
    for (let x = 0; x < width; x++, to++) pixels[to] = table[labels.ids[row + x * step] as number] as number;
  }
  return { width, height, rgba };
}

/** Background is not painted unless asked for: it would hide the picture. */
export function hiddenAtFirst(classes: readonly ClassRow[]): Set<number> {
  return new Set(classes.length > 1 ? [0] : []);
}
