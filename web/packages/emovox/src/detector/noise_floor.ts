// The level of the background noise: the minimum of the power around each frame.
// Source: R. Martin, Noise power spectral density estimation based on optimal smoothing and minimum statistics, IEEE
// Trans. Speech and Audio Processing 9(5), 2001.
import { joined } from "./frames.ts";

/** Frames whose floor is now certain: the mean square of each, and the floor under it. */
export interface Floors {
  readonly power: Float32Array;
  readonly floor: Float32Array;
}

/** The minimum of the frame powers from `past` frames before to `ahead` frames after each frame. */
export class NoiseFloor {
  #history: Float32Array;

  constructor(
    private readonly past: number,
    private readonly ahead: number,
  ) {
    this.#history = new Float32Array(past).fill(Number.POSITIVE_INFINITY);
  }

  /** Take the powers of the next frames and return the floors that are now certain, `ahead` frames late. */
  feed(power: Float32Array): Floors {
    const known = joined(this.#history, power);
    const decided = Math.max(0, known.length - this.past - this.ahead);
    this.#history = known.slice(decided);
    const around = this.past + 1 + this.ahead;
    const floor = Float32Array.from({ length: decided }, (_, index) => least(known, index, index + around));
    return { power: known.slice(this.past, this.past + decided), floor };
  }

  /** Return the floors of the frames that still wait, with the look-ahead that there is. */
  flush(): Floors {
    return this.feed(new Float32Array(this.ahead).fill(Number.POSITIVE_INFINITY));
  }
}

function least(values: Float32Array, start: number, end: number): number {
  let found = Number.POSITIVE_INFINITY;
  for (let index = start; index < end; index += 1) found = Math.min(found, values[index] ?? found);
  return found;
}
