import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { adaptedText, WARM_UP, warmingText, withoutText } from "../../src/page/adaptation.ts";
import type { Segment, SpeechEnded } from "../../src/recogniser/protocol.ts";
import { setLanguage } from "../../src/text/i18n.ts";
import { inWords } from "../../src/timeline/buttons.ts";
import { EMPTY_SESSION, reduce, rowOf, unadapted } from "../../src/timeline/session.ts";

afterEach(() => setLanguage("en"));

const HAPPY = { happy: 0.8, sad: 0.2 };
const SAD = { happy: 0.45, sad: 0.55 };
const [changed, same] = [segment(HAPPY, SAD), segment(HAPPY, { happy: 0.6, sad: 0.4 })];
const learnt = (clips: number) => ({ source: "stream", clips, seconds: 3 * clips });

function segment(scores: Record<string, number>, plain?: Record<string, number>): Segment {
  const base = { start: 1, end: 4, channel: 0, label: "happy", confidence: 0.8, scores };
  return plain ? { ...base, plain_scores: plain } : base;
}

test("a segment says what it would be without adaptation, if that is another label", () => {
  assert.deepEqual(unadapted(changed), { label: "sad", confidence: 0.55 });
  assert.equal(unadapted(same), null);
  assert.equal(unadapted(segment(HAPPY)), null);
  assert.equal(withoutText(changed), "without adaptation: sad, 55%");
  assert.equal(withoutText(same), null);
  const strip = { ...changed, preview: false };
  assert.equal(inWords(strip), "1.0–4.0 s: happy, 80% (without adaptation: sad, 55%)");
  assert.equal(inWords({ ...strip, ...same }), "1.0–4.0 s: happy, 80%");
});

test("the whole says from how much it has learnt and how many labels changed", () => {
  assert.equal(adaptedText(undefined, [changed]), null);
  assert.equal(adaptedText(learnt(0), []), "Adapted to nothing yet.");
  const text = adaptedText(learnt(7), [changed, same]);
  assert.equal(text, "Adapted to this voice: 7 segments, 21.0 s. It changed the label of 1 of 2 segments.");
  assert.match(adaptedText(learnt(1), [same]) ?? "", /It changed no label\.$/);
  setLanguage("zh-CN");
  assert.match(adaptedText(learnt(7), [changed, same]) ?? "", /7 个片段.*2 个片段中 1 个/);
});

test("a call begins with a warm-up", () => {
  assert.equal(warmingText(null, []), `Adapted to nothing yet. Warm-up: 0 of ${WARM_UP}.`);
  assert.match(warmingText(learnt(WARM_UP - 1), [same]), /Warm-up: 4 of 5\.$/);
  assert.doesNotMatch(warmingText(learnt(WARM_UP), [same]), /Warm-up/);
});

test("a session keeps what it is adapted to, and the mean of the plain scores, for its result", () => {
  const ended = (one: Segment, clips: number): SpeechEnded => {
    return { type: "speech.ended", utterance: 0, ...one, segments: [one], adapted: learnt(clips) };
  };
  const session = reduce(reduce(EMPTY_SESSION, ended(changed, 1)), ended({ ...same, start: 5, end: 8 }, 2));
  const row = rowOf(session, { file: "microphone", duration: 9, threshold: 0.5 });
  assert.deepEqual(row.adapted, learnt(2));
  assert.ok(Math.abs((row.plain_scores?.sad ?? 0) - 0.475) < 1e-9);
  assert.equal("plain_scores" in rowOf(EMPTY_SESSION, { file: "m", duration: 1, threshold: 0 }), false);
});
