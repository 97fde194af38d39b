// Voice activity detection: find the frames with a voice, at any level. docs/vad.md has the measurements behind it.
import { FRAME, framesOf, joined, VOICE_RATE } from "./frames.ts";
import { type Floors, NoiseFloor } from "./noise_floor.ts";
import { periodicity, WINDOW } from "./periodicity.ts";

/** No sound; some sound, about which the network decides; possibly a voice; certainly a voice, which opens a region. */
export const SILENT = 0;
export const LOUD = 1;
export const VOICED = 2;
export const CLEAR = 3;

/** Parameters of the detection, as `VadConfig` in Python; durations in seconds, levels in dB. */
export const VAD = {
  aboveFloorDb: 8,
  loudAboveFloorDb: 5,
  /** Probability above which the network takes 32 ms for speech. */
  networkThreshold: 0.4,
  silenceDbfs: -100,
  floorWindow: 4,
  lookahead: 0.2,
  clearPeriodicity: 0.7,
  heldPeriodicity: 0.4,
  onset: 0.06,
  onsetWindow: 0.32,
  hangover: 0.4,
  padding: 0.2,
} as const;

const HOP = Math.round(FRAME * VOICE_RATE);
const BATCH = 10; // frames per step, 0.2 s
const MARGIN = (WINDOW - HOP) / 2; // samples of the periodicity window on each side of its frame
const ratio = (decibels: number): number => Math.fround(10 ** (decibels / 10));
const [VOICE_RATIO, LOUD_RATIO, QUIETEST] = [
  ratio(VAD.aboveFloorDb),
  ratio(VAD.loudAboveFloorDb),
  ratio(VAD.silenceDbfs),
];
const NOTHING = new Uint8Array();

/**
 * A detector of voiced frames: louder than the noise floor, and periodic.
 *
 * It works at 4 kHz on the difference signal, which has no offset and no hum. Both measures are ratios, so the level of
 * the recording does not matter. The decisions do not depend on the chunking.
 */
export class Vad {
  readonly #step: number;
  readonly #floor = new NoiseFloor(framesOf(VAD.floorWindow), framesOf(VAD.lookahead));
  #pending: Float32Array = new Float32Array();
  #previous: number | null = null;
  #low: Float32Array = new Float32Array(MARGIN);

  /** @param sampleRate in Hz, a multiple of 4000. */
  constructor(sampleRate: number) {
    this.#step = sampleRate / VOICE_RATE;
  }

  /**
   * Take the next samples and return the decisions that are now certain, one for each frame.
   *
   * @param atOnce decide all possible frames now, instead of every 0.2 s of audio.
   */
  feed(samples: Float32Array, atOnce = false): Uint8Array {
    this.#pending = joined(this.#pending, samples);
    if (!atOnce && this.#pending.length < BATCH * HOP * this.#step) return NOTHING;
    return this.#decide(this.#floor.feed(this.#take()));
  }

  /** Return the decisions on the frames that still wait; a last piece under 20 ms is dropped. */
  flush(): Uint8Array {
    const power = this.#take();
    this.#low = joined(this.#low, new Float32Array(MARGIN));
    const [decided, waiting] = [this.#floor.feed(power), this.#floor.flush()];
    return this.#decide({
      power: joined(decided.power, waiting.power),
      floor: joined(decided.floor, waiting.floor),
    });
  }

  /** Return the mean squares of the whole frames that wait. */
  #take(): Float32Array {
    const frames = Math.floor(this.#pending.length / (HOP * this.#step));
    const low = this.#difference(frames * HOP);
    this.#pending = this.#pending.slice(frames * HOP * this.#step);
    this.#low = joined(this.#low, low);
    return Float32Array.from({ length: frames }, (_, frame) => {
      let sum = 0;
      for (const value of low.subarray(frame * HOP, (frame + 1) * HOP)) sum += value * value;
      return sum / HOP;
    });
  }

  /** Return the means of `step` samples, each minus the one before. */
  #difference(count: number): Float32Array {
    const low = new Float32Array(count);
    for (let index = 0; index < count; index += 1) {
      let sum = 0;
      const first = index * this.#step;
      for (let offset = 0; offset < this.#step; offset += 1) sum += this.#pending[first + offset] ?? 0;
      const value = Math.fround(sum / this.#step);
      low[index] = value - (this.#previous ?? value);
      this.#previous = value;
    }
    return low;
  }

  #decide({ power, floor }: Floors): Uint8Array {
    const levels = Uint8Array.from(power, (value, frame) => {
      const quiet = Math.max(floor[frame] ?? 0, QUIETEST);
      if (value > quiet * VOICE_RATIO) {
        const voice = periodicity(this.#low, frame * HOP);
        if (voice > VAD.clearPeriodicity) return CLEAR;
        if (voice > VAD.heldPeriodicity) return VOICED;
      }
      return value > quiet * LOUD_RATIO ? LOUD : SILENT;
    });
    this.#low = this.#low.slice(power.length * HOP);
    return levels;
  }
}
