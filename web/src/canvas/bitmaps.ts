/** Pictures for the canvas. */

import type { Painted } from "../core/paint";
import { isDeepPng } from "../core/png";

/** The picture of a file, upright; null when this browser cannot read its kind, or would show it far too dark. */
export async function decodeFile(file: Blob): Promise<ImageBitmap | null> {
  if (isDeepPng(new Uint8Array(await file.slice(0, 25).arrayBuffer()))) return null;
  return createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => null);
}

/** A canvas with the painted classes; `reuse` is filled again when it is given. */
export function overlayCanvas(painted: Painted, reuse?: HTMLCanvasElement): HTMLCanvasElement {
  const canvas = reuse ?? document.createElement("canvas");
  canvas.width = painted.width;
  canvas.height = painted.height;
  canvas.getContext("2d")?.putImageData(new ImageData(painted.rgba, painted.width, painted.height), 0, 0);
  return canvas;
}

/** Let the browser save bytes under a name. */
export function save(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const address = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // the browser reads it after the click has returned
}
