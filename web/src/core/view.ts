/** Where a picture stands on the screen: a scale and the position of its upper left corner, in CSS pixels. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** `scale`: screen pixels per picture pixel, > 0; `x`, `y`: where the corner of the picture lies on the screen. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** At most this many screen pixels per picture pixel. */
export const LARGEST_SCALE = 40;

/** The whole picture, centred, never larger than 1:1 unless it is a tiny one (then up to 8:1). */
export function fit(picture: Size, screen: Size): View {
  const scale = Math.min(screen.width / picture.width, screen.height / picture.height, 8);
  return centred(picture, screen, scale > 0 && Number.isFinite(scale) ? scale : 1);
}

/** The middle of the picture in the middle of the screen, at a given scale. */
export function centred(picture: Size, screen: Size, scale: number): View {
  return { scale, x: (screen.width - picture.width * scale) / 2, y: (screen.height - picture.height * scale) / 2 };
}

/** Zoom by `factor` about a point of the screen: the pixel below that point stays below it. */
export function zoomAt(view: View, factor: number, at: Point, picture: Size, screen: Size): View {
  const smallest = Math.min(fit(picture, screen).scale, 1) / 2;
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST_SCALE);
  const ratio = scale / view.scale;
  return keepInSight({ scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, picture, screen);
}

/** Move by screen pixels. */
export function pan(view: View, by: Point, picture: Size, screen: Size): View {
  return keepInSight({ scale: view.scale, x: view.x + by.x, y: view.y + by.y }, picture, screen);
}

/** The picture cannot be lost: at least 40 screen pixels of it (or all of a smaller one) stay visible on each axis. */
export function keepInSight(view: View, picture: Size, screen: Size): View {
  const bound = (position: number, length: number, room: number): number => {
    const kept = Math.min(40, length, room);
    return Math.min(Math.max(position, kept - length), room - kept);
  };
  return {
    scale: view.scale,
    x: bound(view.x, picture.width * view.scale, screen.width),
    y: bound(view.y, picture.height * view.scale, screen.height),
  };
}

/** The pixel of the picture below a point of the screen, or null beside the picture. */
export function pixelAt(view: View, at: Point, picture: Size): Point | null {
  const x = Math.floor((at.x - view.x) / view.scale);
  const y = Math.floor((at.y - view.y) / view.scale);
  return x >= 0 && y >= 0 && x < picture.width && y < picture.height ? { x, y } : null;
}

/** What two fingers did: the factor of their distance, and the point between them. */
export function pinch(before: readonly [Point, Point], now: readonly [Point, Point]): { factor: number; at: Point } {
  const distance = ([a, b]: readonly [Point, Point]): number => Math.hypot(a.x - b.x, a.y - b.y);
  const at = { x: (now[0].x + now[1].x) / 2, y: (now[0].y + now[1].y) / 2 };
  return { factor: distance(now) / Math.max(distance(before), 1), at };
}
