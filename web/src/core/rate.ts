/** Frames per second over the last seconds. */

export class Rate {
  private times: number[] = [];

  constructor(private readonly windowMs: number = 3000) {}

  /** A frame was shown at `now` (milliseconds of any clock). */
  tick(now: number): void {
    this.times.push(now);
    this.times = this.times.filter((time) => now - time <= this.windowMs);
  }

  /** Frames per second; null before the second frame. */
  perSecond(): number | null {
    const [first] = this.times;
    const last = this.times.at(-1);
    return first === undefined || last === undefined || last <= first ? null : ((this.times.length - 1) * 1000) / (last - first);
  }
}
