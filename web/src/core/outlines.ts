/** Objects in colour: each by its outline, in a colour that no object near it has. */

import type { ClassRow, ObjectRow } from "./answer";
import { LARGEST_OVERLAY, type Painted, paint, rgb } from "./paint";
import type { LabelMap } from "./png";

/** Seen on dark and on bright pictures; the server draws with the same. */
export const PALETTE = ["#ffc800", "#40c4ff", "#ff6030", "#00dc82", "#f06edc", "#f0f03c", "#6e82ff", "#ffffff"] as const;
/** Objects this close, in pixels of the overlay, are neighbours. */
export const NEAR = 3;
const INSIDE = 50; // alpha of the inside of an object; its outline has 255
const STUFF = 128; // since outlines are drawn at twice the opacity

export interface Things {
  readonly ids: LabelMap;
  readonly rows: readonly ObjectRow[];
}

/** Classes that are stuff in half the strength of `paint`, and outlines of the objects whose class is not hidden.
 *
 * Where objects are of several classes, their outlines have the colours of these; else neighbours differ.
 */
export function paintObjects(
  labels: LabelMap,
  things: Things,
  classes: readonly ClassRow[],
  hidden: ReadonlySet<number>,
  largest: number = LARGEST_OVERLAY,
): Painted {
  const kinds = new Set(things.rows.map((row) => row.className));
  const known = classes.filter(({ name }) => kinds.has(name));
  const painted = paint(labels, classes, new Set([...hidden, ...known.map(({ id }) => id)]), largest);
  const small = thinned(things.ids, painted);
  const colors = objectColors(small, things.rows, known);
  const concealed = new Set(known.filter(({ id }) => hidden.has(id)).map(({ name }) => name));
  const table = new Uint32Array(65_536);
  const bytes = new Uint8Array(table.buffer);
  for (const { id, className } of things.rows) {
    if (!concealed.has(className) && id < 65_536) bytes.set([...rgb(colors.get(id) ?? PALETTE[0]), 255], 4 * id);
  }
  for (let at = 3; at < painted.rgba.length; at += 4) if (painted.rgba[at] !== 0) painted.rgba[at] = STUFF;
  const { width, height, ids } = small;
  const pixels = new Uint32Array(painted.rgba.buffer);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const id = ids[at] as number;
      if (id === 0) continue;
      pixels[at] = table[id] as number;
      const isInside =
        (x === 0 || ids[at - 1] === id) && (x === width - 1 || ids[at + 1] === id) &&
        (y === 0 || ids[at - width] === id) && (y === height - 1 || ids[at + width] === id);
      if (isInside && pixels[at] !== 0) painted.rgba[4 * at + 3] = INSIDE;
    }
  }
  return painted;
}

/** Every step-th id of every step-th row, so that ids lie on the pixels of an overlay. */
function thinned(ids: LabelMap, { width, height }: Painted): LabelMap {
  if (ids.width === width && ids.height === height) return ids;
  const step = Math.max(1, Math.ceil(ids.width / width), Math.ceil(ids.height / height));
  const found = new Uint16Array(width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to++) found[to] = ids.ids[y * step * ids.width + x * step] ?? 0;
  }
  return { width, height, ids: found };
}

/** The colour of each object: its class's where there are several, else the first of `PALETTE` that no neighbour has yet. */
export function objectColors(ids: LabelMap, rows: readonly ObjectRow[], known: readonly ClassRow[]): Map<number, string> {
  if (known.length > 1) {
    const ofClass = new Map(known.map(({ name, color }) => [name, color]));
    return new Map(rows.map(({ id, className }) => [id, ofClass.get(className) ?? PALETTE[0]]));
  }
  const near = neighbours(ids);
  const colors = new Map<number, string>();
  for (const [place, { id }] of rows.entries()) {
    const taken = new Set([...(near.get(id) ?? [])].map((other) => colors.get(other)));
    const order = PALETTE.map((_, turn) => PALETTE[(place + turn) % PALETTE.length] as string);
    colors.set(id, order.find((color) => !taken.has(color)) ?? (order[0] as string));
  }
  return colors;
}

/** Ids that lie at most `NEAR` pixels from each other along rows, columns and diagonals. */
function neighbours({ width, height, ids }: LabelMap): Map<number, Set<number>> {
  const near = new Map<number, Set<number>>();
  const join = (one: number, other: number): void => {
    near.set(one, (near.get(one) ?? new Set()).add(other));
    near.set(other, (near.get(other) ?? new Set()).add(one));
  };
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const id = ids[at] as number;
      if (id === 0 || (x > 0 && x < width - 1 && ids[at - 1] === id && ids[at + 1] === id && ids[at + width] === id)) continue;
      for (let far = 1; far <= NEAR; far++) {
        for (const [right, down] of [[far, 0], [0, far], [far, far], [-far, far]] as const) {
          if (x + right < 0 || x + right >= width || y + down >= height) continue;
          const other = ids[at + down * width + right] as number;
          if (other !== 0 && other !== id) join(id, other);
        }
      }
    }
  }
  return near;
}
