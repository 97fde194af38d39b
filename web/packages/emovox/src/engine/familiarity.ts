// How far a recording is from the voices that a model was trained on, as `emovox.adaptation.familiarity`.
import { multiplied } from "./matrix.ts";

const LARGEST_TEMPERATURE = 3; // a larger one leaves scores that say nothing
const START = 0.9; // distance from which the temperature rises; 1 is the limit of the warning

/** Code of the warning about a distance above 1, and the distance from which it says "very". */
export const UNFAMILIAR = "unfamiliar";
export const VERY_UNFAMILIAR = 1.5;

/** Axes on which tiles of one voice have the variance 1, the corpora on them, and limits. */
export interface Familiarity {
  /** Every `step`-th of the statistics counts. */
  readonly step: number;
  /** [k, d], row by row. */
  readonly axes: Float64Array;
  /** For each corpus its centre [k], and its number of voices. */
  readonly centres: readonly (readonly number[])[];
  readonly voices: readonly number[];
  /** [k], variance of voices around their centre. */
  readonly spread: readonly number[];
  /** Number of tiles, and distance that few known recordings of this length exceed; ascending. */
  readonly limits: readonly (readonly [tiles: number, distance: number])[];
  /** Rise of the temperature with the distance. */
  readonly slope: number;
}

/** The distance of a channel from the recordings in training, from tile to tile. */
export class RunningDistance {
  #total: Float64Array;
  #tiles = 0;

  constructor(private readonly known: Familiarity) {
    this.#total = new Float64Array(known.spread.length);
  }

  /** Distance of all tiles so far, above 1: unfamiliar; null without a tile. */
  get distance(): number | null {
    const { centres, voices, spread, limits } = this.known;
    const tiles = this.#tiles;
    if (!tiles) return null;
    const squares = centres.map((centre, corpus) => {
      const parts = spread.map((variance, axis) => {
        const away = (this.#total[axis] ?? 0) / tiles - (centre[axis] ?? 0);
        return away ** 2 / (variance * (1 + 1 / (voices[corpus] ?? 1)) + 1 / tiles);
      });
      return parts.reduce((sum, part) => sum + part, 0) / spread.length;
    });
    return Math.sqrt(Math.min(...squares)) / limitFor(limits, tiles);
  }

  /** Add a tile with the statistics [p]. */
  add(statistics: Float32Array): void {
    const chosen = Float64Array.from(statistics).filter((_, index) => index % this.known.step === 0);
    const place = multiplied(this.known.axes, chosen);
    this.#total = this.#total.map((value, axis) => value + (place[axis] ?? 0));
    this.#tiles += 1;
  }

  /** Return probabilities as the distance so far lowers them; they still sum to 1. */
  tempered(scores: Float32Array): Float32Array {
    const rise = this.known.slope * Math.max(0, (this.distance ?? 0) - START);
    const temperature = Math.min(LARGEST_TEMPERATURE, 1 + rise);
    if (temperature === 1) return scores;
    const powers = scores.map((score) => Math.max(score, 1e-9) ** (1 / temperature));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }
}

/** Return the limit for a number of tiles: interpolated over its logarithm, constant beyond the known ones. */
function limitFor(limits: Familiarity["limits"], tiles: number): number {
  const above = limits.findIndex(([known]) => known >= tiles);
  const [last] = limits.slice(-1);
  const [after, before] = [limits[above] ?? last, limits[above - 1]];
  if (!after) throw new RangeError("got no limits, expected at least one");
  if (!before || above < 0) return after[1];
  const share = Math.log(tiles / before[0]) / Math.log(after[0] / before[0]);
  return before[1] + share * (after[1] - before[1]);
}
