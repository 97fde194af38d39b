import assert from "node:assert/strict";
import { test } from "node:test";
import { isTranscript, transcriptOf } from "../../src/page/transcripts.ts";
import { inWords } from "../../src/timeline/buttons.ts";
import { coloursOf, contrast, inkOn } from "../../src/timeline/colours.ts";
import { layoutOf, ticks } from "../../src/timeline/layout.ts";

const EMOTIONS = ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise", "calm", "boredom"];

test("emotions have the colours of emovox's pictures, other labels have spare ones, all different", () => {
  assert.equal(coloursOf(["angry"]).get("angry"), "#d55e00");
  assert.deepEqual([...coloursOf(["angry", "zen"]).values()], ["#d55e00", "#0072b2"]);
  const many = coloursOf([...EMOTIONS, ...Array.from({ length: 20 }, (_, index) => `own ${index}`)]);
  assert.equal(new Set(many.values()).size, 29);
  for (const colour of many.values()) assert.match(colour, /^#[0-9a-f]{6}$/);
});

test("text on every label's colour is readable (WCAG AA)", () => {
  const labels = [...EMOTIONS, ...Array.from({ length: 20 }, (_, index) => `own ${index}`)];
  for (const colour of coloursOf(labels).values()) assert.ok(contrast(colour, inkOn(colour)) >= 4.5, colour);
});

test("contrast is that of WCAG", () => {
  assert.equal(contrast("#ffffff", "#000000"), 21);
  assert.equal(contrast("#777777", "#777777"), 1);
  assert.ok(Math.abs(contrast("#777777", "#ffffff") - 4.48) < 0.01);
});

test("bands follow each other without touching", () => {
  const { wave, lanes, scores, axis, height } = layoutOf(2, true);
  const bands = [wave, ...lanes, ...scores, axis];
  assert.equal(bands.length, 6);
  for (const [index, band] of bands.slice(1).entries()) {
    const above = bands[index];
    assert.ok(above && band.top >= above.top + above.height);
  }
  assert.equal(axis.top + axis.height, height);
  assert.equal(layoutOf(1, false).wave.height, 0);
});

test("each channel has a row for each modality below its lane", () => {
  const { lanes, modalities, scores } = layoutOf(2, false, 1, 2);
  assert.deepEqual(
    modalities.map((rows) => rows.length),
    [2, 2],
  );
  const bands = [lanes[0], ...(modalities[0] ?? []), lanes[1], ...(modalities[1] ?? []), scores[0]];
  for (const [index, band] of bands.slice(1).entries()) {
    const above = bands[index];
    assert.ok(above && band && band.top >= above.top + above.height);
  }
  assert.deepEqual(layoutOf(1, true).modalities, [[]]);
});

test("a segment says in words what each modality says alone", () => {
  const scores = { sad: 0.6, happy: 0.4 };
  const strip = { start: 0, end: 1, channel: 0, label: "sad", confidence: 0.6, scores, preview: false };
  assert.equal(inWords(strip), "0.0–1.0 s: sad, 60%");
  assert.equal(inWords({ ...strip, modalities: { voice: scores } }), inWords(strip));
  const modalities = { voice: scores, text: { sad: 0.1, happy: 0.9 } };
  assert.equal(inWords({ ...strip, modalities }), "0.0–1.0 s: sad, 60% (voice: sad, 60%; words: happy, 90%)");
});

test("a transcript belongs to the recording of its name, or to the only one", () => {
  const [a, b] = [{ name: "a.wav" }, { name: "b.mp4" }];
  const [srt, vtt] = [{ name: "A.SRT" }, { name: "b.vtt" }];
  assert.deepEqual([a, b, srt, vtt].map(isTranscript), [false, false, true, true]);
  assert.equal(transcriptOf(a, [a], [vtt]), vtt);
  assert.equal(transcriptOf(b, [a, b], [srt, vtt]), vtt);
  assert.equal(transcriptOf(a, [a, b], [vtt]), null);
  assert.equal(transcriptOf(a, [a], []), null);
});

test("ticks are round and far enough apart", () => {
  const { times, digits } = ticks({ start: 0, secondsPerPixel: 30 / 1000, width: 1000 });
  assert.deepEqual([times.slice(0, 3), digits], [[0, 5, 10], 0]);
  assert.equal(ticks({ start: 0, secondsPerPixel: 0.005, width: 1000 }).digits, 1); // 0.0 s, 0.5 s, 1.0 s
  for (const secondsPerPixel of [0.001, 0.01, 0.1, 1, 10]) {
    const found = ticks({ start: 123.4, secondsPerPixel, width: 1000 }).times;
    assert.ok(found.length > 0 && found.length <= 1000 / 72 + 1, String(found));
  }
});
