import type { Modalities, Row, Scores, SpokenLine } from "../recogniser/protocol.ts";

const SCORE_DIGITS = 4; // as `emovox predict` writes them
const TIME_DIGITS = 6; // a microsecond: further digits are rounding errors of sums

/** Return a result with scores, confidences and shares rounded as in all text output of emovox, times to 1 µs. */
export function rounded(row: Row): Row {
  return {
    ...row,
    duration: round(row.duration, TIME_DIGITS),
    confidence: row.confidence === null ? null : round(row.confidence),
    scores: row.scores && roundedScores(row.scores),
    shares: roundedScores(row.shares),
    segments: row.segments.map((segment) => ({
      ...segment,
      start: round(segment.start, TIME_DIGITS),
      end: round(segment.end, TIME_DIGITS),
      confidence: round(segment.confidence),
      scores: roundedScores(segment.scores),
      ...roundedPlain(segment),
      ...roundedModalities(segment),
    })),
    ...roundedPlain(row),
    ...roundedModalities(row),
    ...(row.lines ? { lines: row.lines.map(roundedLine) } : {}),
  };
}

function roundedPlain({ plain_scores }: { readonly plain_scores?: Scores }): { readonly plain_scores?: Scores } {
  return plain_scores ? { plain_scores: roundedScores(plain_scores) } : {};
}

function roundedModalities({ modalities }: { readonly modalities?: Modalities }): { readonly modalities?: Modalities } {
  if (!modalities) return {};
  const entries = Object.entries(modalities).map(([name, scores]) => [name, roundedScores(scores)]);
  return { modalities: Object.fromEntries(entries) };
}

function roundedLine(line: SpokenLine): SpokenLine {
  const { confidence, scores } = line;
  return {
    ...line,
    confidence: confidence === null ? null : round(confidence),
    scores: scores && roundedScores(scores),
  };
}

function round(value: number, digits = SCORE_DIGITS): number {
  return Number(value.toFixed(digits));
}

function roundedScores(scores: Scores): Scores {
  return Object.fromEntries(Object.entries(scores).map(([label, value]) => [label, round(value)]));
}
