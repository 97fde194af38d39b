const LONGEST_MEMORY = 600; // frames of 100 ms: a minute

/**
 * A clock that knows when each sample of a stream was captured, so that latency counts from the sound, not the sending.
 *
 * It notes the arrival of each frame. Between two frames, time runs at the sample rate. Devices stop and start again, so
 * the next noted frame counts, not the first.
 */
export class CaptureClock {
  readonly #marks: { readonly seconds: number; readonly at: number }[] = [];

  /** Note that the stream is `seconds` long at the moment `at` (milliseconds of any steady clock). */
  note(seconds: number, at: number): void {
    this.#marks.push({ seconds, at });
    if (this.#marks.length > LONGEST_MEMORY) this.#marks.shift();
  }

  /** Return when the sample at `seconds` of the stream was captured, in milliseconds; null if no frame reaches it. */
  capturedAt(seconds: number): number | null {
    const mark = this.#marks.find((candidate) => candidate.seconds >= seconds - 1e-9);
    return mark ? mark.at - 1000 * (mark.seconds - seconds) : null;
  }
}

/** The median of the latest `length` values: one late answer does not change the shown latency. */
export class RunningMedian {
  readonly #values: number[] = [];

  constructor(readonly length: number) {}

  add(value: number): number {
    this.#values.push(value);
    if (this.#values.length > this.length) this.#values.shift();
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? value;
  }
}
