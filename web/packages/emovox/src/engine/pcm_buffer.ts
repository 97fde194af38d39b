// The last seconds of a stream as 16-bit integers, addressed by position. All sources become equal in this way.

const FULL_SCALE = 32_768;

export class PcmBuffer {
  /** Position of the first sample in the buffer, in samples from the beginning of the stream. */
  start = 0;
  #store = new Int16Array();
  #used = 0;

  /** @param slack free samples after the buffer grows: kept samples are copied once per `slack` samples. */
  constructor(private readonly slack: number) {}

  /** Position after the last sample. */
  get end(): number {
    return this.start + this.#used;
  }

  /** Memory in bytes. */
  get bytes(): number {
    return this.#store.byteLength;
  }

  /** Add samples in [-1, 1); values outside are clipped. */
  append(samples: Float32Array): void {
    if (this.#used + samples.length > this.#store.length) {
      const grown = new Int16Array(this.#used + samples.length + this.slack);
      grown.set(this.#store.subarray(0, this.#used));
      this.#store = grown;
    }
    for (const [index, sample] of samples.entries()) {
      const value = halfToEven(sample * FULL_SCALE);
      this.#store[this.#used + index] = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, value));
    }
    this.#used += samples.length;
  }

  /** Return the samples of [start, end), positions in the stream. */
  cut(start: number, end: number): Float32Array {
    if (!(this.start <= start && start <= end && end <= this.end))
      throw new RangeError(`got [${start}, ${end}), expected a part of the kept [${this.start}, ${this.end})`);
    return Float32Array.from(this.#store.subarray(start - this.start, end - this.start), (value) => value / FULL_SCALE);
  }

  /** Allow the buffer to drop samples before this position; it does so once there are at least `slack` of them. */
  forget(before: number): void {
    const gone = Math.min(before, this.end) - this.start;
    if (gone < this.slack) return;
    const kept = new Int16Array(this.#used - gone + this.slack);
    kept.set(this.#store.subarray(gone, this.#used));
    this.#store = kept;
    this.#used -= gone;
    this.start += gone;
  }
}

/** Round as Python does: a half goes to the even neighbour. */
export function halfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}
