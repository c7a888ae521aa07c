/** A canvas that shows a picture with its overlay, and lets one zoom and move. */

import { type Point, type Size, type View, centred, fit, keepInSight, pan, pinch, pixelAt, zoomAt } from "../core/view";

export interface Layers {
  readonly size: Size;
  readonly base: CanvasImageSource | null;
  readonly overlay: CanvasImageSource | null;
  /** The overlay is made of thin lines, which are drawn at twice the opacity. */
  readonly isOutlined?: boolean;
}

/** Above this many screen pixels per picture pixel the pixels are shown as squares. */
const SQUARES_FROM = 2;
const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: 1, y: 0 },
  ArrowRight: { x: -1, y: 0 },
  ArrowUp: { x: 0, y: 1 },
  ArrowDown: { x: 0, y: -1 },
};

export class Stage {
  private layers: Layers | null = null;
  private view: View | null = null;
  private screen: Size = { width: 1, height: 1 };
  private fitted = true;
  private opacity = 0.5;
  private drawing = 0;
  private readonly pointers = new Map<number, Point>();
  private readonly listening = new AbortController();
  private readonly resized: ResizeObserver;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly onPixel: (pixel: Point | null) => void = () => undefined,
  ) {
    const on = <K extends keyof HTMLElementEventMap>(kind: K, act: (event: HTMLElementEventMap[K]) => void): void =>
      canvas.addEventListener(kind, act, { signal: this.listening.signal, passive: false });
    on("wheel", (event) => this.wheel(event));
    on("pointerdown", (event) => this.down(event));
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event));
    on("pointerleave", () => this.onPixel(null));
    on("dblclick", () => this.fit());
    on("keydown", (event) => this.key(event));
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(canvas);
    this.resize();
  }

  /** Show other layers; the view stays when the size does and `keepView` is set. */
  show(layers: Layers | null, keepView = false): void {
    const before = this.layers?.size;
    this.layers = layers;
    const same = before?.width === layers?.size.width && before?.height === layers?.size.height;
    if (!same || !keepView) this.fit();
    this.draw();
  }

  setOpacity(opacity: number): void {
    this.opacity = opacity;
    this.draw();
  }

  fit(): void {
    this.fitted = true;
    this.view = this.layers ? fit(this.layers.size, this.screen) : null;
    this.draw();
  }

  /** One pixel of the picture on one pixel of the screen. */
  actual(): void {
    if (this.layers) this.set(centred(this.layers.size, this.screen, 1 / window.devicePixelRatio));
  }

  zoom(factor: number, at: Point = { x: this.screen.width / 2, y: this.screen.height / 2 }): void {
    if (this.layers && this.view) this.set(zoomAt(this.view, factor, at, this.layers.size, this.screen));
  }

  dispose(): void {
    this.listening.abort();
    this.resized.disconnect();
    cancelAnimationFrame(this.drawing);
  }

  private set(view: View): void {
    this.fitted = false;
    this.view = view;
    this.draw();
  }

  private resize(): void {
    const box = this.canvas.getBoundingClientRect();
    this.screen = { width: Math.max(1, box.width), height: Math.max(1, box.height) };
    this.canvas.width = Math.max(1, Math.round(box.width * window.devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(box.height * window.devicePixelRatio));
    if (this.fitted) this.fit();
    else if (this.layers && this.view) this.view = keepInSight(this.view, this.layers.size, this.screen);
    this.paint(); // now, not in the next frame: a canvas of a new size is empty
  }

  private draw(): void {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.layers || !this.view) return;
    const ratio = window.devicePixelRatio;
    const { scale, x, y } = this.view;
    const { width, height } = this.layers.size;
    context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    context.imageSmoothingEnabled = scale * ratio < SQUARES_FROM;
    context.imageSmoothingQuality = "high";
    if (this.layers.base) context.drawImage(this.layers.base, 0, 0, width, height);
    if (!this.layers.overlay) return;
    context.globalAlpha = this.layers.isOutlined ? Math.min(1, 2 * this.opacity) : this.opacity;
    context.drawImage(this.layers.overlay, 0, 0, width, height);
    context.globalAlpha = 1;
  }

  private position(event: MouseEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private wheel(event: WheelEvent): void {
    if (!this.layers) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 16 : event.deltaY;
    this.zoom(Math.exp(-Math.min(Math.max(lines, -200), 200) / 400), this.position(event));
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.position(event));
  }

  private move(event: PointerEvent): void {
    const now = this.position(event);
    if (this.layers && this.view) this.onPixel(pixelAt(this.view, now, this.layers.size));
    const before = this.pointers.get(event.pointerId);
    if (!before || !this.layers || !this.view) return;
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other === undefined) {
      this.set(pan(this.view, { x: now.x - before.x, y: now.y - before.y }, this.layers.size, this.screen));
    } else {
      const { factor, at } = pinch([before, other], [now, other]);
      this.zoom(factor, at);
    }
  }

  private up(event: PointerEvent): void {
    this.pointers.delete(event.pointerId);
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 200 : 40;
    const direction = ARROWS[event.key];
    if (direction && this.layers && this.view) {
      this.set(pan(this.view, { x: direction.x * step, y: direction.y * step }, this.layers.size, this.screen));
    } else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.actual();
    else return;
    event.preventDefault();
  }
}
