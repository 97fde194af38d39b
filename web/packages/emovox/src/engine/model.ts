// What the engine knows of a model: numbers of its card, and a network that scores samples.

/** Scores of each label and the statistics that a head scores, of one piece of audio. */
export interface Scored {
  readonly scores: Float32Array;
  readonly statistics: Float32Array;
  /** Probability that it is speech; left out by a network that does not tell. */
  readonly speech?: number;
}

/** Mean and scale, each [p], that standardise statistics. */
export interface Profile {
  readonly mean: Float32Array;
  readonly scale: Float32Array;
}

/** A network: the waveform in, scores out; and its head alone, which scores statistics for a speaker. */
export interface Network {
  /** Mean and scale of the training set. */
  readonly profile: Profile;
  /** Score samples at 16 kHz, 0.3 to 4.5 s. */
  run(samples: Float32Array): Scored | Promise<Scored>;
  /** Score statistics with a profile. */
  scores(statistics: Float32Array, profile: Profile): Float32Array | Promise<Float32Array>;
}

/** Parameters that adapt a model to a voice, as `emovox.adaptation.estimator.Adaptation`; matrices are row by row. */
export interface Adaptation {
  /** [d, p], the directions in which moods differ most. */
  readonly axes: Float64Array;
  /** [d, labels], directions along the axes that tell each label from the others. */
  readonly apart: Float64Array;
  /** [d, d], covariance along the axes of clips of one voice and label. */
  readonly within: Float64Array;
  /** Variance of such clips in all directions together. */
  readonly variance: number;
  readonly gate: {
    readonly mean: Float64Array;
    readonly scale: Float64Array;
    readonly weights: Float64Array;
    readonly bias: number;
  };
}

/** The numbers of a model's card that the engine needs; durations in seconds. */
export interface Card {
  readonly name: string;
  readonly version: string;
  readonly labels: readonly string[];
  readonly threshold: number;
  readonly window: number;
  readonly hop: number;
  readonly shortest: number;
  /** The probability of speech below which a tile gets no label; left out if the network does not tell. */
  readonly speech?: { readonly threshold: number };
}
