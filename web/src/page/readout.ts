// What the page says in large letters: a pure function of what is known, so that it can be tested.

import type { Row, Scores } from "../recogniser/protocol.ts";
import { clock, number, percent, span } from "../text/format.ts";
import { labelName, maybe, t } from "../text/i18n.ts";
import { bestOf, type Session } from "../timeline/session.ts";

/** Seconds for which the verdict on an utterance stays in large letters after its end. */
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
}

/** For a recording, or for a live session that is over. */
export function rowReadout(row: Row): Readout {
  const { label, confidence, scores } = row;
  if (confidence === null || scores === null) return nobody("", "result.no_speech");
  const speech = row.segments.reduce((sum, { start, end }) => sum + end - start, 0);
  const shares = Object.entries(row.shares).filter(([, share]) => share >= 0.005);
  const parts = shares.map(([name, share]) => `${labelName(name)} ${percent(share)}`);
  const detail = parts.length > 1 ? t("result.shares", { shares: parts.join(" · ") }) : "";
  return {
    ...scored({ label, confidence, scores }, detail),
    source: t("result.overall", { length: clock(speech) }),
  };
}

/** For a session that is going on and is `seconds` long; previews look `window` seconds back. */
export function liveReadout(session: Session, { seconds, window }: { seconds: number; window: number }): Readout {
  const { latest, speaking } = session;
  if (speaking.size) {
    const preview = latest?.type === "emotion.updated" ? latest : null;
    const source = t("state.speaking");
    if (preview) return { ...scored(preview, t("state.preview", { seconds: number(window, 0) })), source };
    const headline = t("state.hearing");
    return { face: { state: "hearing" }, headline, confidence: "", source, detail: "", scores: null };
  }
  if (latest?.type !== "speech.ended") return nobody("", "state.no_speech");
  if (seconds - latest.end < VERDICT_SECONDS) {
    const source = t("state.verdict", { span: span(latest.start, latest.end) });
    return { ...scored(latest, ""), source };
  }
  const label = latest.label === null ? t("result.not_sure") : labelName(latest.label);
  return nobody(t("state.last", { label, confidence: percent(latest.confidence) }), "state.no_speech");
}

function scored({ label, confidence, scores }: Scored, detail: string): Omit<Readout, "source"> {
  if (label !== null) {
    const text = t("result.confidence", { confidence: percent(confidence) });
    return { face: { label }, headline: capital(label), confidence: text, detail, scores };
  }
  const best = bestOf(scores);
  const perhaps = t("result.perhaps", { label: labelName(best), confidence: percent(scores[best] ?? confidence) });
  return { face: { state: "unsure" }, headline: t("result.not_sure"), confidence: perhaps, detail, scores };
}

/** Names that the page knows begin with a capital in large letters; a user's own label stays as it is. */
function capital(label: string): string {
  const name = labelName(label);
  return name === label && maybe(`label.${label}`) === null ? label : name.charAt(0).toUpperCase() + name.slice(1);
}

function nobody(detail: string, headline: "state.no_speech" | "result.no_speech"): Readout {
  const source = headline === "state.no_speech" ? t("state.listening") : "";
  return { face: { state: "silent" }, headline: t(headline), confidence: "", source, detail, scores: null };
}
