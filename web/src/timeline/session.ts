// The state of a live session: a pure reducer over the recogniser's events, and the result of the session.

import { bestOf, isSpeech, judged, summarise } from "../../packages/emovox/src/engine/summary.ts";
import type {
  Adapted,
  EmotionUpdated,
  LiveEvent,
  Row,
  Segment,
  SpeechEnded,
  SpokenLine,
} from "../recogniser/protocol.ts";

/** A piece of the timeline: a final segment, or a preview. */
export interface Strip extends Segment {
  readonly preview: boolean;
}

export interface Session {
  /** Final segments, in the order of arrival. */
  readonly segments: readonly Segment[];
  /** Previews of the open utterances; each covers the time since the preview before. */
  readonly previews: readonly Strip[];
  /** Channel → start of its open utterance, in seconds. */
  readonly speaking: ReadonlyMap<number, number>;
  /** The latest preview or verdict. */
  readonly latest: EmotionUpdated | SpeechEnded | null;
  /** What the scores are adapted to since the latest verdict; null: nothing. */
  readonly adapted: Adapted | null;
  /** Channel → distance of its speech so far from the recordings in training. */
  readonly distances: ReadonlyMap<number, number>;
}

export { bestOf };

export const EMPTY_SESSION: Session = {
  segments: [],
  previews: [],
  speaking: new Map(),
  latest: null,
  adapted: null,
  distances: new Map(),
};

export function reduce(session: Session, event: LiveEvent): Session {
  const { channel } = event;
  switch (event.type) {
    case "speech.started":
      return { ...session, speaking: new Map(session.speaking).set(channel, event.start) };
    case "emotion.updated":
      return { ...session, previews: [...session.previews, previewOf(session, event)], latest: event };
    case "speech.ended":
      return {
        segments: [...session.segments, ...event.segments],
        previews: session.previews.filter((preview) => preview.channel !== channel),
        speaking: without(session.speaking, channel),
        latest: event,
        adapted: event.adapted ?? null,
        distances:
          event.unfamiliarity === undefined
            ? session.distances
            : new Map(session.distances).set(channel, event.unfamiliarity),
      };
    default:
      return session; // a newer service may send other events
  }
}

/** Return the session after a lost connection: open utterances get no verdict. */
export function interrupted(session: Session): Session {
  return { ...session, previews: [], speaking: new Map() };
}

/** Return an event with its times moved by `seconds`, for a session that continues after a lost connection. */
export function shifted<Event extends LiveEvent>(event: Event, seconds: number): Event {
  const move = <Timed extends { start: number; end?: number }>(timed: Timed): Timed =>
    timed.end === undefined
      ? { ...timed, start: timed.start + seconds }
      : { ...timed, start: timed.start + seconds, end: timed.end + seconds };
  const moved = move(event);
  return moved.type === "speech.ended" ? { ...moved, segments: moved.segments.map(move) } : moved;
}

export function strips(session: Session): readonly Strip[] {
  return [...session.segments.map((segment) => ({ ...segment, preview: false })), ...session.previews];
}

/** Return the result of a session, as `emovox predict` gives it for a recording; `threshold` is that of abstention. */
export function rowOf(session: Session, about: { file: string; duration: number; threshold: number }): Row {
  const distances = [...session.distances.values()];
  const unfamiliarity = distances.length ? Math.max(...distances) : null;
  const row = summarise(session.segments, { ...about, adapted: session.adapted, unfamiliarity });
  return relabelled(row, about.threshold);
}

/** Return a result as it is with another threshold of abstention: labels and the warning `uncertain`, nothing else. */
export function relabelled(row: Row, threshold: number): Row {
  if (!row.scores) return row;
  const lines = row.lines?.map((line) => lineWithThreshold(line, threshold));
  const segments = row.segments.map((segment) => withThreshold(segment, threshold));
  return { ...judged(row, threshold), segments, ...(lines ? { lines } : {}) };
}

/** Return a live session as it is with another threshold of abstention. */
export function relabelledSession(session: Session, threshold: number): Session {
  const { segments, previews, latest } = session;
  const change = <Scored extends Segment>(scored: Scored) => withThreshold(scored, threshold);
  return {
    ...session,
    segments: segments.map(change),
    previews: previews.map(change),
    latest: latest && change(latest),
  };
}

function withThreshold<Scored extends Segment>(scored: Scored, threshold: number): Scored {
  return { ...scored, label: isSpeech(scored) && scored.confidence >= threshold ? bestOf(scored.scores) : null };
}

function lineWithThreshold(line: SpokenLine, threshold: number): SpokenLine {
  const { scores, confidence } = line;
  return { ...line, label: scores && confidence !== null && confidence >= threshold ? bestOf(scores) : null };
}

/** Return the label with the highest score without adaptation and that score, if it is another label; else null. */
export function unadapted({ scores, plain_scores }: Segment): { label: string; confidence: number } | null {
  if (!plain_scores) return null;
  const label = bestOf(plain_scores);
  return label === bestOf(scores) ? null : { label, confidence: plain_scores[label] ?? 0 };
}

function previewOf(session: Session, event: EmotionUpdated): Strip {
  const previous = session.previews.findLast((preview) => preview.channel === event.channel);
  const start = Math.min(previous?.end ?? session.speaking.get(event.channel) ?? event.start, event.end);
  const { end, channel, label, confidence, scores, code } = event;
  return { start, end, channel, label, confidence, scores, preview: true, ...(code ? { code } : {}) };
}

function without(speaking: ReadonlyMap<number, number>, channel: number): ReadonlyMap<number, number> {
  const rest = new Map(speaking);
  rest.delete(channel);
  return rest;
}
