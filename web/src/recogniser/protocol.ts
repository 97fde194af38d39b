// Answers and events of a recogniser, with the keys of `emovox predict --format json` and of the stream. Times are seconds.

/** Label → probability, in the model's order. */
export type Scores = Readonly<Record<string, number>>;

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

/** One tile of speech. `label` is null below the abstention threshold: "not sure". */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly channel: number;
  readonly label: string | null;
  readonly confidence: number;
  readonly scores: Scores;
  /** The scores without adaptation, if `scores` are adapted to a voice. */
  readonly plain_scores?: Scores;
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
}

export interface ModelName {
  readonly name: string;
  readonly version: string;
}

export interface Answer {
  readonly model: ModelName;
  readonly row: Row;
}

export interface Figure {
  readonly corpus: string;
  readonly protocol: string;
  readonly metric: string;
  readonly value: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface ModelCard extends ModelName {
  readonly default: boolean;
  /** Whether an upload may ask for it. */
  readonly offered: boolean;
  readonly description: string;
  readonly labels: readonly string[];
  /** Probability below which no label is given. */
  readonly threshold: number;
  /** Whether the model may adapt to a voice; an older service does not say. */
  readonly adaptable?: boolean;
  readonly licence: string;
  readonly licence_risk: string;
  readonly parameters: number;
  readonly figures: readonly Figure[];
}

/** The settings of a live session; `hop` and `window` in seconds. */
export interface SessionStarted {
  readonly type: "session.started";
  readonly model: ModelName;
  readonly labels: readonly string[];
  readonly sample_rate: number;
  readonly channels: number;
  readonly hop: number;
  readonly window: number;
  readonly threshold: number;
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
}

export type LiveEvent = SpeechStarted | EmotionUpdated | SpeechEnded;

export interface SessionEnded {
  readonly type: "session.ended";
  readonly seconds: number;
  readonly previews_dropped: number;
}

export interface StreamError extends Notice {
  readonly type: "error";
}

export type StreamMessage = SessionStarted | LiveEvent | SessionEnded | StreamError;
