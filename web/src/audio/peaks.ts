/** Buckets per second: fine enough for the highest zoom of the timeline, and small for recordings of hours. */
export const BUCKETS_PER_SECOND = 100;

/** The outline of a recording: the lowest and the highest sample of each hundredth of a second. It can grow. */
export class Peaks {
  #low = new Float32Array(1024);
  #high = new Float32Array(1024);
  #samples = 0;
  #largest = 0;

  constructor(readonly sampleRate: number) {}

  get duration(): number {
    return this.#samples / this.sampleRate;
  }

  add(samples: Float32Array): void {
    const last = this.#bucket(this.#samples + samples.length);
    if (last >= this.#low.length) this.#grow(last + 1);
    for (const sample of samples) {
      const bucket = this.#bucket(this.#samples);
      if (sample < (this.#low[bucket] ?? 0)) this.#low[bucket] = sample;
      if (sample > (this.#high[bucket] ?? 0)) this.#high[bucket] = sample;
      this.#largest = Math.max(this.#largest, Math.abs(sample));
      this.#samples += 1;
    }
  }

  /** Return the lowest and the highest sample between two times in seconds; [0, 0] outside of the recording. */
  between(start: number, end: number): readonly [low: number, high: number] {
    const first = Math.max(0, Math.floor(start * BUCKETS_PER_SECOND));
    const last = Math.min(this.#bucket(this.#samples), Math.max(first, Math.ceil(end * BUCKETS_PER_SECOND) - 1));
    let low = 0;
    let high = 0;
    for (let bucket = first; bucket <= last; bucket += 1) {
      low = Math.min(low, this.#low[bucket] ?? 0);
      high = Math.max(high, this.#high[bucket] ?? 0);
    }
    return [low, high];
  }

  /** The largest magnitude of all samples. */
  get largest(): number {
    return this.#largest;
  }

  #bucket(sample: number): number {
    return Math.floor((sample * BUCKETS_PER_SECOND) / this.sampleRate);
  }

  #grow(needed: number): void {
    const length = Math.max(needed, 2 * this.#low.length);
    const [low, high] = [new Float32Array(length), new Float32Array(length)];
    low.set(this.#low);
    high.set(this.#high);
    [this.#low, this.#high] = [low, high];
  }
}
