// Answers and events of a recogniser, with the keys of `emovox predict --format json` and of the stream. Times are seconds.

import type { LiveEvent, Notice, Row } from "../../packages/emovox/src/types.ts";

export type {
  Adapted,
  EmotionUpdated,
  LiveEvent,
  Modalities,
  Notice,
  Row,
  Scores,
  Segment,
  SpeechEnded,
  SpeechStarted,
  SpokenLine,
} from "../../packages/emovox/src/types.ts";

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

/** A promise of a model: labels whose score reaches `least` hold the true one in `coverage` percent of the cases. */
export interface LabelSets {
  readonly coverage: number;
  readonly least: number;
}

export interface ModelCard extends ModelName {
  readonly default: boolean;
  /** Whether an upload may ask for it. */
  readonly offered: boolean;
  readonly description: string;
  readonly labels: readonly string[];
  /** Probability below which no label is given. */
  readonly threshold: number;
  /** The promises for sets of labels; an older service does not say. */
  readonly sets?: readonly LabelSets[];
  /** Whether the model may adapt to a voice; an older service does not say. */
  readonly adaptable?: boolean;
  /** What an upload may ask for; an older service does not say. */
  readonly modalities?: readonly string[];
  readonly licence: string;
  readonly licence_risk: string;
  readonly parameters: number;
  /** MB that are fetched once the model is chosen; left out if none are. */
  readonly megabytes?: number;
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

export interface SessionEnded {
  readonly type: "session.ended";
  readonly seconds: number;
  readonly previews_dropped: number;
}

export interface StreamError extends Notice {
  readonly type: "error";
}

export type StreamMessage = SessionStarted | LiveEvent | SessionEnded | StreamError;
