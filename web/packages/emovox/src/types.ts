// Rows, segments and events, with the keys of `emovox predict --format json` and of the stream. Times are seconds.

/** Label → probability, in the model's order. */
export type Scores = Readonly<Record<string, number>>;

/** Modality → its scores. */
export type Modalities = Readonly<Record<string, Scores>>;

export interface Notice {
  readonly code: string;
  readonly message: string;
}

/** What scores are adapted to: the tiles whose statistics were used, and their length in seconds. */
export interface Adapted {
  readonly source: string;
  readonly clips: number;
  readonly seconds: number;
}

/** One tile of speech. `label` is null below the abstention threshold ("not sure"), and if `code` says why. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly channel: number;
  readonly label: string | null;
  readonly confidence: number;
  readonly scores: Scores;
  /** The scores without adaptation, if `scores` are adapted to a voice. */
  readonly plain_scores?: Scores;
  /** Modality ("voice", "face", "text") → its own scores, if others than the voice count. */
  readonly modalities?: Modalities;
  /** "not_speech": the model hears another sound; the segment does not count. */
  readonly code?: string;
}

/** The result of one recording; `label`, `confidence` and `scores` are null without speech. */
export interface Row {
  readonly file: string;
  readonly duration: number;
  readonly label: string | null;
  readonly confidence: number | null;
  readonly scores: Scores | null;
  readonly shares: Scores;
  readonly warnings: readonly Notice[];
  readonly segments: readonly Segment[];
  readonly adapted?: Adapted;
  readonly plain_scores?: Scores;
  /** Distance of the speech from the recordings in training; above 1 it is unfamiliar. */
  readonly unfamiliarity?: number;
  readonly modalities?: Modalities;
  /** The lines of a transcript, if one was given. */
  readonly lines?: readonly SpokenLine[];
}

/** A line of a transcript; `label` is null below the threshold, and outside all speech `scores`, too. */
export interface SpokenLine {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly label: string | null;
  readonly confidence: number | null;
  readonly scores: Scores | null;
  readonly speaker: string | null;
}

export interface SpeechStarted {
  readonly type: "speech.started";
  readonly utterance: number;
  readonly channel: number;
  readonly start: number;
}

/** A smoothed preview over the latest window, after every hop of speech. */
export interface EmotionUpdated extends Segment {
  readonly type: "emotion.updated";
  readonly utterance: number;
}

/** The verdict on an utterance, with its segments. */
export interface SpeechEnded extends Segment {
  readonly type: "speech.ended";
  readonly utterance: number;
  readonly segments: readonly Segment[];
  readonly adapted?: Adapted;
  /** That of the channel so far, as in a row. */
  readonly unfamiliarity?: number;
}

export type LiveEvent = SpeechStarted | EmotionUpdated | SpeechEnded;
