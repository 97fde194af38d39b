// Adaptation to a voice from clips without labels: sums over its clips, and a mixture of scores under a few profiles.
// docs/adaptation.md explains it; `emovox.adaptation.estimator` is the same in Python.
import { diagonal, multiplied, solved } from "./matrix.ts";
import type { Adaptation, Network, Profile, Scored } from "./model.ts";

const LIGHT = 0.07; // shrinkage of the mean for clips that look diverse, in units of the variance around a voice
const STRONG = 0.55; // and for others
const CAUTION = 2; // clips that count as evidence against removing the mean
const LARGEST = 3; // largest distance of a feature of the gate from its mean, in deviations
const LEAST = 1e-3; // least ratio of variances before the logarithm

/** Sums over the clips of a voice, and the head of a network under the profiles that follow from them. */
export class Voice {
  clips = 0;
  seconds = 0;
  readonly #total: Float64Array;
  readonly #moments: Float64Array;
  readonly #scores: Float64Array;
  #squares = 0;
  #entropy = 0;
  #mixture: readonly { readonly weight: number; readonly profile: Profile }[];

  constructor(
    private readonly network: Network,
    private readonly fit: Adaptation,
  ) {
    const p = network.profile.mean.length;
    const d = fit.axes.length / p;
    this.#total = new Float64Array(p);
    this.#moments = new Float64Array(d * d);
    this.#scores = new Float64Array(fit.apart.length / d);
    this.#mixture = [{ weight: 1, profile: network.profile }];
  }

  /** Add a clip to the voice. */
  learn({ scores, statistics }: Scored, seconds: number): void {
    this.add({ scores, statistics }, seconds);
    this.prepare();
  }

  /** Add a clip; the scores change with the next `prepare`. */
  add({ scores, statistics }: Scored, seconds: number): void {
    const { mean, scale } = this.network.profile;
    const z = Float64Array.from(statistics, (value, index) => (value - (mean[index] ?? 0)) / (scale[index] ?? 1));
    const along = multiplied(this.fit.axes, z);
    this.clips += 1;
    this.seconds += seconds;
    for (const [index, value] of z.entries()) this.#total[index] = (this.#total[index] ?? 0) + value;
    for (const value of z) this.#squares += value * value;
    addOuter(this.#moments, along, 1);
    for (const [index, value] of scores.entries()) this.#scores[index] = (this.#scores[index] ?? 0) + value;
    this.#entropy += entropy(scores);
  }

  /** Return the adapted scores of a clip's statistics. */
  async scores(statistics: Float32Array): Promise<Float32Array> {
    const found = new Float64Array(this.#scores.length);
    for (const { weight, profile } of this.#mixture) {
      if (!weight) continue;
      for (const [index, score] of (await this.network.scores(statistics, profile)).entries())
        found[index] = (found[index] ?? 0) + weight * score;
    }
    return Float32Array.from(found);
  }

  /** Compute the profiles that follow from the clips so far. */
  prepare(): void {
    const plain = this.network.profile;
    const weight = this.#weight();
    const under = (shrinkage: number) => shifted(plain, this.#shrunk(shrinkage));
    this.#mixture = [
      { weight: (1 - weight) / 2, profile: plain },
      { weight: (1 - weight) / 2, profile: under(STRONG) },
      { weight, profile: under(LIGHT) },
    ];
  }

  /** The share of the scores with the mean removed: the more diverse the clips look, the larger. */
  #weight(): number {
    if (this.clips < 2) return 0;
    const { mean, scale, weights, bias } = this.fit.gate;
    const sum = this.#diversity().reduce((total, feature, index) => {
      const standard = (feature - (mean[index] ?? 0)) / (scale[index] ?? 1);
      return total + (weights[index] ?? 0) * Math.max(-LARGEST, Math.min(LARGEST, standard));
    }, bias);
    return ((1 / (1 + Math.exp(-sum))) ** 2 * this.clips) / (this.clips + CAUTION);
  }

  /** Five features of the gate: number of clips, information of the scores, and three ratios of variances. */
  #diversity(): number[] {
    const { axes, apart, within, variance } = this.fit;
    const n = this.clips;
    const mean = this.#mean();
    const d = Math.sqrt(within.length);
    const scatter = Float64Array.from(this.#moments);
    addOuter(scatter, multiplied(axes, mean), -n);
    const spread = scatter.map((value) => value / (n - 1));
    const along = diagonal(solved(within, spread)).reduce((sum, value) => sum + value, 0) / d;
    const everywhere = (this.#squares - n * squared(mean)) / (n - 1) / variance;
    const shared = entropy(this.#scores.map((score) => score / n)) - this.#entropy / n;
    const logs = [byLabel(apart, spread, within), along, everywhere].map((ratio) => Math.log(Math.max(ratio, LEAST)));
    return [Math.log(n), shared, ...logs];
  }

  #mean(): Float64Array {
    return this.#total.map((value) => value / Math.max(1, this.clips));
  }

  /** The mean after James-Stein shrinkage towards 0. */
  #shrunk(shrinkage: number): Float64Array {
    const mean = this.#mean();
    const expected = (shrinkage + 1 / this.clips) * this.fit.variance;
    const kept = Math.max(0, 1 - expected / Math.max(squared(mean), LEAST));
    return mean.map((value) => value * kept);
  }
}

function shifted({ mean, scale }: Profile, offset: Float64Array): Profile {
  return { mean: mean.map((value, index) => value + (scale[index] ?? 0) * (offset[index] ?? 0)), scale };
}

/** Return the mean over labels of the variance along each label's direction, in units of that of one voice and label. */
function byLabel(apart: Float64Array, scatter: Float64Array, within: Float64Array): number {
  const d = Math.sqrt(within.length);
  const labels = apart.length / d;
  let sum = 0;
  for (let label = 0; label < labels; label += 1) {
    const direction = Float64Array.from({ length: d }, (_, axis) => apart[axis * labels + label] ?? 0);
    sum += inner(direction, multiplied(scatter, direction)) / inner(direction, multiplied(within, direction));
  }
  return sum / labels;
}

function addOuter(matrix: Float64Array, vector: Float64Array, weight: number): void {
  const { length } = vector;
  for (let row = 0; row < length; row += 1) {
    for (let column = 0; column < length; column += 1) {
      const place = row * length + column;
      matrix[place] = (matrix[place] ?? 0) + weight * (vector[row] ?? 0) * (vector[column] ?? 0);
    }
  }
}

function inner(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

function squared(vector: Float64Array): number {
  return inner(vector, vector);
}

/** Return the entropy of probabilities in nats. */
function entropy(scores: Float32Array | Float64Array): number {
  let sum = 0;
  for (const score of scores) {
    const bounded = Math.max(1e-9, Math.min(1, score));
    sum -= bounded * Math.log(bounded);
  }
  return sum;
}
