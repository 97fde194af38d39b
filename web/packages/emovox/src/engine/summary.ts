// Segments of a recording → its result, as `emovox predict` gives it.
import type { Adapted, Notice, Row, Scores, Segment } from "../types.ts";
import { UNFAMILIAR, VERY_UNFAMILIAR } from "./familiarity.ts";

const SHORT_SECONDS = 0.3; // a shorter recording holds no whole syllable

/** Code of a segment in which the model hears no speech. */
export const NOT_SPEECH = "not_speech";

/** What a result is about; `threshold` is that of abstention. */
export interface About {
  readonly file: string;
  readonly duration: number;
  readonly threshold: number;
  readonly notices?: readonly Notice[];
  readonly adapted?: Adapted | null;
  /** Distance of the speech from the recordings in training; null: unknown. */
  readonly unfamiliarity?: number | null;
}

/** Return the label with the highest score. */
export function bestOf(scores: Scores): string {
  return Object.entries(scores).reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", -1] as const)[0];
}

/** Return the label with the highest score, or null if that score is below the threshold. */
export function labelOf(scores: Scores, threshold: number): string | null {
  const best = bestOf(scores);
  return (scores[best] ?? 0) >= threshold ? best : null;
}

/** Return whether a segment, preview or verdict counts; else the detector took another sound for speech. */
export function isSpeech({ code }: { readonly code?: string }): boolean {
  return code !== NOT_SPEECH;
}

/** Return the result of a recording; segments may come in any order. */
export function summarise(segments: readonly Segment[], about: About): Row {
  const { file, duration, threshold, notices = [], adapted, unfamiliarity = null } = about;
  const whose = adapted ? { adapted } : {};
  const heard = segments.filter(isSpeech);
  const scores = meanScores(heard, (segment) => segment.scores);
  const ordered = [...segments].sort((a, b) => a.start - b.start || a.channel - b.channel);
  const refused = heard.length < segments.length ? [refusal(secondsOf(segments) - secondsOf(heard), segments)] : [];
  if (!scores) {
    const warnings = [...notices, ...(refused.length ? refused : unheard(duration))];
    return {
      file,
      duration,
      label: null,
      confidence: null,
      scores: null,
      shares: {},
      warnings,
      segments: ordered,
      ...whose,
    };
  }
  const plain = meanScores(
    heard.filter(({ plain_scores }) => plain_scores),
    (segment) => segment.plain_scores ?? {},
  );
  const row: Row = {
    file,
    duration,
    label: null,
    confidence: scores[bestOf(scores)] ?? 0,
    scores,
    shares: sharesOf(heard),
    warnings: [...notices, ...refused, ...strangeness(unfamiliarity, Boolean(adapted))],
    segments: ordered,
    ...whose,
    ...(plain ? { plain_scores: plain } : {}),
    ...(unfamiliarity === null ? {} : { unfamiliarity }),
  };
  return judged(row, threshold);
}

/** Return a result with its own label and the warning `uncertain` as a threshold gives them. */
export function judged(row: Row, threshold: number): Row {
  const { scores, confidence } = row;
  if (!scores || confidence === null) return row;
  const label = labelOf(scores, threshold);
  const score = `the highest score, ${confidence.toFixed(2)} for '${bestOf(scores)}'`;
  const message = `${score}, is below the threshold ${threshold.toFixed(2)}; no label is given`;
  const uncertain: Notice[] = label === null ? [{ code: "uncertain", message }] : [];
  return { ...row, label, warnings: [...row.warnings.filter(({ code }) => code !== "uncertain"), ...uncertain] };
}

/** Return the mean of the segments' scores, weighted by their length; null without segments. */
export function meanScores(segments: readonly Segment[], scoresOf: (segment: Segment) => Scores): Scores | null {
  const seconds = secondsOf(segments);
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

function strangeness(distance: number | null, isAdapted: boolean): Notice[] {
  if (distance === null || distance <= 1) return [];
  const how = distance >= VERY_UNFAMILIAR ? "very" : "somewhat";
  const remedy = isAdapted ? "the scores are adapted" : "confidence is lowered; --adapt recording may help";
  const distances = `(distance ${distance.toFixed(2)}, limit 1)`;
  return [{ code: UNFAMILIAR, message: `${how} unlike the recordings in training ${distances}: ${remedy}` }];
}

function refusal(seconds: number, segments: readonly Segment[]): Notice {
  const of = `${seconds.toFixed(1)} of ${secondsOf(segments).toFixed(1)} s`;
  return { code: NOT_SPEECH, message: `${of} that seemed to be speech are other sounds; they get no label` };
}

function secondsOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.end - segment.start, 0);
}

function unheard(duration: number): Notice[] {
  if (duration < SHORT_SECONDS) {
    const message = `lasts ${duration.toFixed(3)} s, expected at least ${SHORT_SECONDS} s of speech`;
    return [{ code: "too_short", message }];
  }
  return [{ code: "no_speech", message: `no speech found in ${duration.toFixed(1)} s; nothing was scored` }];
}
