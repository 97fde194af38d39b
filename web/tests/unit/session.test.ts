import assert from "node:assert/strict";
import { test } from "node:test";
import { liveReadout, rowReadout, segmentReadout, setWords } from "../../src/page/readout.ts";
import type { EmotionUpdated, LiveEvent, Segment, SpeechEnded } from "../../src/recogniser/protocol.ts";
import {
  EMPTY_SESSION,
  interrupted,
  reduce,
  relabelled,
  relabelledSession,
  rowOf,
  type Session,
  shifted,
  strips,
} from "../../src/timeline/session.ts";

const ABOUT = { file: "microphone", duration: 10, threshold: 0.5 };
const SURE = { happy: 0.8, sad: 0.2 };
const UNSURE = { happy: 0.375, sad: 0.25 };

function segment(start: number, end: number, scores: Record<string, number> = SURE): Segment {
  const confidence = Math.max(...Object.values(scores));
  return { start, end, channel: 0, label: confidence >= 0.5 ? "happy" : null, confidence, scores };
}

const started = (start: number): LiveEvent => ({ type: "speech.started", utterance: 0, channel: 0, start });
const updated = (start: number, end: number, scores = SURE): EmotionUpdated => ({
  type: "emotion.updated",
  utterance: 0,
  ...segment(start, end, scores),
});
const ended = (...segments: Segment[]): SpeechEnded => {
  const [first, last] = [segments[0] as Segment, segments.at(-1) as Segment];
  return { type: "speech.ended", utterance: 0, ...first, end: last.end, segments };
};
const after = (...events: LiveEvent[]): Session => events.reduce(reduce, EMPTY_SESSION);

test("previews are side by side, although each covers three seconds", () => {
  const session = after(started(1), updated(1, 1.5), updated(1, 2), updated(1.5, 4.5));
  assert.deepEqual(
    strips(session).map(({ start, end, preview }) => [start, end, preview]),
    [
      [1, 1.5, true],
      [1.5, 2, true],
      [2, 4.5, true],
    ],
  );
});

test("the verdict replaces the previews", () => {
  const session = after(started(1), updated(1, 1.5), ended(segment(1, 3), segment(3, 5)));
  assert.equal(session.previews.length, 0);
  assert.equal(session.speaking.size, 0);
  assert.deepEqual(
    strips(session).map(({ start, end, preview }) => [start, end, preview]),
    [
      [1, 3, false],
      [3, 5, false],
    ],
  );
});

test("the given state is not changed", () => {
  const before = after(started(1));
  const copy = structuredClone(before);
  reduce(reduce(before, updated(1, 2)), ended(segment(1, 3)));
  assert.deepEqual(before, copy);
});

test("an unknown type of event changes nothing", () => {
  const session = after(started(1));
  assert.equal(reduce(session, { type: "something.new", channel: 0 } as unknown as LiveEvent), session);
});

test("a lost connection leaves no utterance open; later events are shifted behind it", () => {
  const session = interrupted(after(started(1), updated(1, 2)));
  assert.deepEqual([session.previews.length, session.speaking.size], [0, 0]);
  const moved = shifted(ended(segment(1, 3)), 7);
  assert.deepEqual([moved.start, moved.end, moved.segments[0]?.start, moved.segments[0]?.end], [8, 10, 8, 10]);
  assert.deepEqual(shifted(started(1), 7), started(8));
});

test("a session sums up as a recording does: means weighted by length, shares of the time", () => {
  const row = rowOf(
    after(ended(segment(0, 3, { happy: 0.9, sad: 0.1 }), segment(3, 4, { happy: 0.1, sad: 0.9 }))),
    ABOUT,
  );
  assert.ok(Math.abs((row.scores?.happy ?? 0) - 0.7) < 1e-9);
  assert.deepEqual([row.label, row.confidence?.toFixed(3), row.warnings.length], ["happy", "0.700", 0]);
  assert.deepEqual(row.shares, { happy: 0.75, sad: 0.25 });
});

test("below the threshold there is no label but a warning; the scores stay", () => {
  const row = rowOf(after(ended(segment(0, 3, UNSURE))), ABOUT);
  assert.equal(row.label, null);
  assert.deepEqual(row.scores, UNSURE);
  assert.deepEqual(
    row.warnings.map(({ code }) => code),
    ["uncertain"],
  );
  assert.match(row.warnings[0]?.message ?? "", /the highest score, 0\.38 for 'happy', is below the threshold 0\.50/);
});

test("without speech everything is null, with a warning", () => {
  const row = rowOf(EMPTY_SESSION, ABOUT);
  assert.deepEqual([row.label, row.confidence, row.scores, row.shares, row.segments], [null, null, null, {}, []]);
  assert.deepEqual(
    row.warnings.map(({ code }) => code),
    ["no_speech"],
  );
});

test("the large letters show silence, speech, the preview, the verdict, and after a while silence again", () => {
  const say = (session: Session, seconds: number) => liveReadout(session, { seconds, window: 3 });
  assert.equal(say(EMPTY_SESSION, 1).headline, "No speech");
  assert.equal(say(after(started(1)), 1.2).headline, "Speech detected");
  const speaking = say(after(started(1), updated(1, 2)), 2);
  assert.deepEqual(
    [speaking.headline, speaking.confidence, speaking.detail],
    ["Happy", "Confidence 80%", "Preview over the last 3 s"],
  );
  const over = after(started(1), updated(1, 2), ended(segment(1, 3)));
  assert.equal(say(over, 4).headline, "Happy");
  assert.match(say(over, 4).source, /Result for this utterance/);
  assert.deepEqual([say(over, 9).headline, say(over, 9).detail], ["No speech", "Last: happy, 80%"]);
});

test("the verdict on one utterance is not shown as the preview of the next", () => {
  const session = reduce(after(started(1), ended(segment(1, 3))), started(4));
  assert.equal(liveReadout(session, { seconds: 4.1, window: 3 }).headline, "Speech detected");
});

test("not sure is shown with the likeliest label and its score", () => {
  const readout = rowReadout(rowOf(after(ended(segment(0, 3, UNSURE))), ABOUT));
  assert.equal(readout.headline, "Not sure");
  assert.match(readout.confidence, /Perhaps happy, 38%/);
  assert.deepEqual(readout.face, { state: "unsure" });
});

test("another sound than speech is named so, and gets no label at any threshold", () => {
  const other = { ...segment(3, 6), label: null, code: "not_speech" };
  const row = rowOf(after(started(1), ended(segment(1, 3), other)), ABOUT);
  assert.deepEqual(
    relabelled(row, 0).segments.map(({ label }) => label),
    ["happy", null],
  );
  assert.deepEqual(row.shares, { happy: 1 });
  const nothing = rowReadout(rowOf(after(ended(other)), ABOUT));
  assert.deepEqual([nothing.headline, nothing.face, nothing.scores], ["Not speech", { state: "silent" }, null]);
  assert.equal(segmentReadout(other).headline, "Not speech");
});

test("a label of a user's model is shown as it is, a known one with a capital", () => {
  const own = { ...rowOf(after(ended(segment(0, 3))), ABOUT), label: "wake_up" };
  assert.equal(rowReadout(own).headline, "wake_up");
  assert.equal(rowReadout({ ...own, label: "sad" }).headline, "Sad");
});

test("another threshold gives or withdraws labels, as the service does, and changes no score", () => {
  const session = after(started(1), ended(segment(1, 3), segment(3, 6, UNSURE)));
  const row = rowOf(session, ABOUT);
  for (const threshold of [0, 0.3, 0.5, 0.6, 0.9, 1]) {
    const expected = rowOf(relabelledSession(session, threshold), { ...ABOUT, threshold });
    assert.deepEqual(relabelled(row, threshold), expected);
    assert.deepEqual(relabelled(relabelled(row, 1), threshold), expected); // it can be undone
  }
  const none = relabelled(row, 0.9);
  assert.deepEqual([none.label, none.segments.map(({ label }) => label)], [null, [null, null]]);
  assert.deepEqual(
    none.warnings.map(({ code }) => code),
    ["uncertain"],
  );
  assert.deepEqual(none.scores, row.scores);
  const silence = rowOf(EMPTY_SESSION, ABOUT);
  assert.deepEqual(relabelled(silence, 0.1), silence);
});

test("a chosen segment is in large letters", () => {
  const { headline, source, scores } = segmentReadout(segment(1, 3));
  assert.deepEqual([headline, source, scores], ["Happy", "Segment 1.0–3.0 s", SURE]);
  assert.equal(segmentReadout(segment(1, 3, UNSURE)).headline, "Not sure");
});

test("a set has the labels that reach the bound of its promise, and at least the best", () => {
  const scores = { neutral: 0.3, sad: 0.5, angry: 0.2 };
  assert.equal(setWords({ scores }, { coverage: 90, least: 0.3 }), "In 90% of the cases one of these: sad or neutral");
  assert.equal(setWords({ scores }, { coverage: 80, least: 0.9 }), "In 80% of the cases one of these: sad");
  assert.equal(setWords({ scores: null }, { coverage: 90, least: 0.3 }), null);
  assert.equal(setWords({ scores }, null), null);
});
