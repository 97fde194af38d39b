// The large letters of the page, as pure functions of a result or a session.

import { isSpeech } from "../../packages/emovox/src/engine/summary.ts";
import type { LabelSets, Row, Scores, Segment } from "../recogniser/protocol.ts";
import { clock, number, percent, span, thisOrThat } from "../text/format.ts";
import { labelName, maybe, t } from "../text/i18n.ts";
import { bestOf, type Session } from "../timeline/session.ts";

/** Seconds after the end of an utterance for which its verdict stays in large letters. */
const VERDICT_SECONDS = 4;

export interface Readout {
  /** A label, or a state of the page. */
  readonly face: { readonly label: string } | { readonly state: "unsure" | "silent" | "hearing" };
  readonly headline: string;
  readonly confidence: string;
  readonly source: string;
  readonly detail: string;
  readonly scores: Scores | null;
}

interface Scored {
  readonly label: string | null;
  readonly confidence: number;
  readonly scores: Scores;
  readonly code?: string;
}

/** Return the large letters for a recording, or for a live session that has ended. */
export function rowReadout(row: Row): Readout {
  const { label, confidence, scores } = row;
  if (confidence === null || scores === null) {
    return silent("", row.segments.length ? "result.not_speech" : "result.no_speech");
  }
  const speech = row.segments.filter(isSpeech).reduce((sum, { start, end }) => sum + end - start, 0);
  const shares = Object.entries(row.shares).filter(([, share]) => share >= 0.005);
  const parts = shares.map(([name, share]) => `${labelName(name)}\u00a0${percent(share)}`);
  const detail = parts.length > 1 ? t("result.shares", { shares: parts.join("\u00a0· ") }) : "";
  return {
    ...scored({ label, confidence, scores }, detail),
    source: t("result.overall", { length: clock(speech) }),
  };
}

/** Return the large letters for a chosen segment. */
export function segmentReadout(segment: Segment): Readout {
  const source = t("result.segment", { span: span(segment.start, segment.end) });
  return { ...scored(segment, ""), source };
}

/** Return the large letters for a running session of `seconds`, whose previews cover the last `window` seconds. */
export function liveReadout(session: Session, { seconds, window }: { seconds: number; window: number }): Readout {
  const { latest, speaking } = session;
  if (speaking.size) {
    const preview = latest?.type === "emotion.updated" ? latest : null;
    const source = t("state.speaking");
    if (preview) return { ...scored(preview, t("state.preview", { seconds: number(window, 0) })), source };
    const headline = t("state.hearing");
    return { face: { state: "hearing" }, headline, confidence: "", source, detail: "", scores: null };
  }
  if (latest?.type !== "speech.ended") return silent("", "state.no_speech");
  if (seconds - latest.end < VERDICT_SECONDS) {
    const source = t("state.verdict", { span: span(latest.start, latest.end) });
    return { ...scored(latest, ""), source };
  }
  if (!isSpeech(latest)) return silent("", "state.no_speech");
  const label = latest.label === null ? t("result.not_sure") : labelName(latest.label);
  return silent(t("state.last", { label, confidence: percent(latest.confidence) }), "state.no_speech");
}

function scored({ label, confidence, scores, code }: Scored, detail: string): Omit<Readout, "source"> {
  if (code !== undefined && !isSpeech({ code })) return silent("", "result.not_speech");
  if (label !== null) {
    const text = t("result.confidence", { confidence: percent(confidence) });
    return { face: { label }, headline: capital(label), confidence: text, detail, scores };
  }
  const best = bestOf(scores);
  const perhaps = t("result.perhaps", { label: labelName(best), confidence: percent(scores[best] ?? confidence) });
  return { face: { state: "unsure" }, headline: t("result.not_sure"), confidence: perhaps, detail, scores };
}

/** Return the set of labels in words; null without scores or without a promise. */
export function setWords({ scores }: Pick<Readout, "scores">, sets: LabelSets | null): string | null {
  if (scores === null || sets === null) return null;
  const labels = labelSet(scores, sets.least).map(labelName);
  return t("result.set", { coverage: percent(sets.coverage / 100), labels: thisOrThat(labels) });
}

/** Return the labels whose score reaches `least`, and at least the best one, the best first. */
function labelSet(scores: Scores, least: number): readonly string[] {
  const ranked = Object.entries(scores).sort(([, one], [, other]) => other - one);
  return ranked.filter(([, score], index) => index === 0 || score >= least).map(([label]) => label);
}

/** Return a label's name for large letters: with a capital, unless the page does not know the label. */
function capital(label: string): string {
  const name = labelName(label);
  return name === label && maybe(`label.${label}`) === null ? label : name.charAt(0).toUpperCase() + name.slice(1);
}

function silent(detail: string, headline: "state.no_speech" | "result.no_speech" | "result.not_speech"): Readout {
  const source = headline === "state.no_speech" ? t("state.listening") : "";
  return { face: { state: "silent" }, headline: t(headline), confidence: "", source, detail, scores: null };
}
