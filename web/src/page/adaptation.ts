// What adaptation to a voice has learnt and changed, in words: pure functions of a result or a session.

import type { Adapted, Segment } from "../recogniser/protocol.ts";
import { clock, percent } from "../text/format.ts";
import { labelName, t } from "../text/i18n.ts";
import { unadapted } from "../timeline/session.ts";

/** Segments of a call that are a warm-up: it knows too little of the voice to help much. */
export const WARM_UP = 5;

/** Return what was learnt of a voice and how many labels it has changed; null if nothing is adapted. */
export function adaptedText(adapted: Adapted | null | undefined, segments: readonly Segment[]): string | null {
  if (!adapted) return null;
  if (!adapted.clips) return t("adapted.nothing");
  const changed = segments.filter((segment) => unadapted(segment)).length;
  const learnt = t("adapted.learnt", { count: adapted.clips, length: clock(adapted.seconds) });
  const effect = changed ? t("adapted.changed", { changed, count: segments.length }) : t("adapted.unchanged");
  return `${learnt} ${effect}`;
}

/** Return the same for a running call, which begins with a warm-up. */
export function warmingText(adapted: Adapted | null, segments: readonly Segment[]): string {
  const known = adaptedText(adapted, segments) ?? t("adapted.nothing");
  const count = adapted?.clips ?? 0;
  return count < WARM_UP ? `${known} ${t("adapted.warming", { count, all: WARM_UP })}` : known;
}

/** Return what a segment would be without adaptation, if that differs; else null. */
export function withoutText(segment: Segment): string | null {
  const plain = unadapted(segment);
  return plain && t("adapted.without", { label: labelName(plain.label), confidence: percent(plain.confidence) });
}
