// The state of a live session: a pure reducer over the recogniser's events, and the result of the session.

import type {
  Adapted,
  EmotionUpdated,
  LiveEvent,
  Notice,
  Row,
  Scores,
  Segment,
  SpeechEnded,
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
}

export const EMPTY_SESSION: Session = { segments: [], previews: [], speaking: new Map(), latest: null, adapted: null };

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
  const { file, duration, threshold } = about;
  const { segments } = session;
  const scores = meanScores(segments, (segment) => segment.scores);
  const adapted = session.adapted ? { adapted: session.adapted } : {};
  if (!scores) {
    const message = `no speech found in ${duration.toFixed(1)} s; nothing was scored`;
    const warnings = [{ code: "no_speech", message }];
    return { file, duration, label: null, confidence: null, scores: null, shares: {}, warnings, segments, ...adapted };
  }
  const confidence = scores[bestOf(scores)] ?? 0;
  const shares = sharesOf(segments);
  const plain = meanScores(
    segments.filter(({ plain_scores }) => plain_scores),
    (segment) => segment.plain_scores ?? {},
  );
  const row = { file, duration, label: null, confidence, scores, shares, warnings: [], segments, ...adapted };
  return relabelled(plain ? { ...row, plain_scores: plain } : row, threshold);
}

/** Return a result as it is with another threshold of abstention: labels and the warning `uncertain`, nothing else. */
export function relabelled(row: Row, threshold: number): Row {
  const { scores, confidence } = row;
  if (!scores || confidence === null) return row;
  const best = bestOf(scores);
  const sure = confidence >= threshold;
  const score = `the highest score, ${confidence.toFixed(2)} for '${best}'`;
  const message = `${score}, is below the threshold ${threshold.toFixed(2)}; no label is given`;
  const uncertain: Notice[] = sure ? [] : [{ code: "uncertain", message }];
  const warnings = [...row.warnings.filter(({ code }) => code !== "uncertain"), ...uncertain];
  const segments = row.segments.map((segment) => withThreshold(segment, threshold));
  return { ...row, label: sure ? best : null, warnings, segments };
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
  return { ...scored, label: scored.confidence >= threshold ? bestOf(scored.scores) : null };
}

/** Return the label with the highest score. */
export function bestOf(scores: Scores): string {
  return Object.entries(scores).reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", -1] as const)[0];
}

/** Return the label with the highest score without adaptation and that score, if it is another label; else null. */
export function unadapted({ scores, plain_scores }: Segment): { label: string; confidence: number } | null {
  if (!plain_scores) return null;
  const label = bestOf(plain_scores);
  return label === bestOf(scores) ? null : { label, confidence: plain_scores[label] ?? 0 };
}

/** Return the mean of the segments' scores, weighted by their length; null without segments. */
function meanScores(segments: readonly Segment[], scoresOf: (segment: Segment) => Scores): Scores | null {
  const seconds = segments.reduce((sum, segment) => sum + segment.end - segment.start, 0);
  if (!seconds || !segments[0]) return null;
  const weighted = (label: string) =>
    segments.reduce((sum, segment) => sum + (segment.end - segment.start) * (scoresOf(segment)[label] ?? 0), 0);
  return Object.fromEntries(Object.keys(scoresOf(segments[0])).map((label) => [label, weighted(label) / seconds]));
}

/** Return label → share of the speech in which it scores highest, the largest first. */
function sharesOf(segments: readonly Segment[]): Scores {
  const seconds = new Map<string, number>();
  for (const { start, end, scores } of segments) {
    const best = bestOf(scores);
    seconds.set(best, (seconds.get(best) ?? 0) + end - start);
  }
  const total = [...seconds.values()].reduce((sum, value) => sum + value, 0);
  const ordered = [...seconds].sort(([, a], [, b]) => b - a);
  return Object.fromEntries(ordered.map(([label, value]) => [label, value / total]));
}

function previewOf(session: Session, event: EmotionUpdated): Strip {
  const previous = session.previews.findLast((preview) => preview.channel === event.channel);
  const start = Math.min(previous?.end ?? session.speaking.get(event.channel) ?? event.start, event.end);
  const { end, channel, label, confidence, scores } = event;
  return { start, end, channel, label, confidence, scores, preview: true };
}

function without(speaking: ReadonlyMap<number, number>, channel: number): ReadonlyMap<number, number> {
  const rest = new Map(speaking);
  rest.delete(channel);
  return rest;
}
