// Resampling to 16 kHz by a windowed sinc, sample by sample of the output; the result does not depend on the chunking.
// Source: J. O. Smith, Digital Audio Resampling, https://ccrma.stanford.edu/~jos/resample/, with a Kaiser window.
import { joined } from "../detector/frames.ts";

const ZEROS = 32; // zero crossings of the sinc on each side: more make the edge at half the rate steeper
const BETA = 10; // of the Kaiser window: about 100 dB of attenuation
const ROLL_OFF = 0.94; // the cut-off, in units of half the lower rate
const STEPS = 512; // points of the filter's table between two zero crossings; values between are interpolated
const TABLE = filterTable();

/** Rates in Hz that are taken. */
export const LOWEST_RATE = 4000;
export const HIGHEST_RATE = 384_000;

/** A converter from one sample rate to another, both in Hz. */
export class Resampler {
  readonly #ratio: number; // input samples per output sample
  readonly #width: number; // input samples per zero crossing
  readonly #reach: number; // input samples on each side of an output sample
  #held: Float32Array = new Float32Array();
  #first = 0; // position of the first held sample
  #made = 0; // output samples so far
  #taken = 0; // input samples so far

  constructor(from: number, to: number) {
    if (!(from >= LOWEST_RATE && from <= HIGHEST_RATE))
      throw new RangeError(`got a sample rate of ${from} Hz, expected ${LOWEST_RATE} to ${HIGHEST_RATE} Hz`);
    this.#ratio = from / to;
    this.#width = Math.max(1, this.#ratio) / ROLL_OFF;
    this.#reach = Math.ceil(ZEROS * this.#width);
  }

  /** Take the next samples and return those that are now certain. Equal rates change nothing. */
  feed(samples: Float32Array): Float32Array {
    if (this.#ratio === 1) return samples;
    this.#held = joined(this.#held, samples);
    this.#taken += samples.length;
    return this.#make(Math.floor((this.#taken - 1 - this.#reach) / this.#ratio) + 1);
  }

  /** End the audio and return the last samples: as many in all as the audio lasts. */
  flush(): Float32Array {
    return this.#ratio === 1 ? new Float32Array() : this.#make(Math.round(this.#taken / this.#ratio));
  }

  #make(total: number): Float32Array {
    const made = new Float32Array(Math.max(0, total - this.#made));
    for (let index = 0; index < made.length; index += 1) made[index] = this.#at((this.#made + index) * this.#ratio);
    this.#made += made.length;
    const needed = Math.max(0, Math.floor(this.#made * this.#ratio) - this.#reach);
    if (needed > this.#first) {
      this.#held = this.#held.slice(needed - this.#first);
      this.#first = needed;
    }
    return made;
  }

  /** Return the value at a place between the input samples. */
  #at(place: number): number {
    const start = Math.max(this.#first, Math.ceil(place - this.#reach));
    const end = Math.min(this.#first + this.#held.length - 1, Math.floor(place + this.#reach));
    const scale = STEPS / this.#width;
    let sum = 0;
    for (let index = start; index <= end; index += 1) {
      const at = Math.abs(place - index) * scale;
      const low = Math.floor(at);
      const weight = TABLE[low] ?? 0;
      sum += (this.#held[index - this.#first] ?? 0) * (weight + (at - low) * ((TABLE[low + 1] ?? 0) - weight));
    }
    return sum / this.#width;
  }
}

function filterTable(): Float64Array {
  return Float64Array.from({ length: ZEROS * STEPS + 2 }, (_, index) => {
    const place = index / STEPS;
    const inside = 1 - (place / ZEROS) ** 2;
    if (inside <= 0) return 0;
    const sinc = place === 0 ? 1 : Math.sin(Math.PI * place) / (Math.PI * place);
    return (sinc * bessel(BETA * Math.sqrt(inside))) / bessel(BETA);
  });
}

/** Return the modified Bessel function of the first kind of order 0, by its series. */
function bessel(x: number): number {
  let [term, sum] = [1, 1];
  for (let k = 1; term > 1e-16 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
