// The engine of the browser package beyond the shared cases: chunks of any size, resampling, results, memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../../packages/emovox/src/audio/resample.ts";
import { DEAF, type SpeechNetwork, SpeechUnits } from "../../packages/emovox/src/detector/speech.ts";
import { ChannelAnalyser, type Engine } from "../../packages/emovox/src/engine/channel.ts";
import { halfToEven, PcmBuffer } from "../../packages/emovox/src/engine/pcm_buffer.ts";
import { analyse } from "../../packages/emovox/src/engine/recording.ts";
import { Segmenter } from "../../packages/emovox/src/engine/segmenter.ts";

const RATE = 16_000;
const CARD = { name: "toy", version: "1", labels: ["a", "b"], threshold: 0.5, window: 3, hop: 0.5, shortest: 0.3 };
const PROFILE = { mean: new Float32Array(1), scale: new Float32Array([1]) };
const ENGINE: Engine = { card: CARD, speech: () => DEAF, network: loudness() };

/** A network whose first score is larger the louder a piece is. */
function loudness() {
  const scores = (level: number) => Float32Array.from([Math.min(1, 2 * level), 1 - Math.min(1, 2 * level)]);
  return {
    profile: PROFILE,
    run(samples: Float32Array) {
      const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
      return { scores: scores(level), statistics: Float32Array.from([level]) };
    },
    scores: (statistics: Float32Array) => scores(statistics[0] ?? 0),
  };
}

/** A buzz with ten harmonics. */
function buzz(seconds: number, level: number, rate = RATE): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * rate) }, (_, index) => {
    let sum = 0;
    for (let harmonic = 1; harmonic <= 10; harmonic += 1)
      sum += Math.sin((2 * Math.PI * 140 * harmonic * index) / rate) / harmonic;
    return level * sum;
  });
}

function silence(seconds: number): Float32Array {
  return new Float32Array(Math.round(seconds * RATE));
}

function chain(...parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

const CALL = chain(silence(1), buzz(4, 0.5), silence(1), buzz(1, 0.05), silence(1));

test("events do not depend on the chunking", async () => {
  const listen = async (chunk: number) => {
    const options = { channel: 0, channels: 1, hop: 0.5, threshold: 0.5, voice: null };
    const analyser = new ChannelAnalyser(ENGINE, options);
    const events = [];
    for (let first = 0; first < CALL.length; first += chunk)
      events.push(...(await analyser.feed(CALL.subarray(first, first + chunk))));
    return [...events, ...(await analyser.flush())];
  };
  const whole = await listen(CALL.length);
  assert.deepEqual(
    whole.map(({ type }) => type).filter((type) => type !== "emotion.updated"),
    ["speech.started", "speech.ended", "speech.started", "speech.ended"],
  );
  assert.equal(whole.filter(({ type }) => type === "emotion.updated").length > 6, true);
  for (const chunk of [128, 1601, 48_000]) assert.deepEqual(await listen(chunk), whole);
});

test("a recording has segments, shares and the label of its speech", async () => {
  const shares: number[] = [];
  const row = await analyse(ENGINE, [CALL], {
    file: "a.wav",
    threshold: 0.5,
    adaptation: null,
    onProgress: (share) => void shares.push(share),
  });
  assert.equal(row.duration, 8);
  assert.deepEqual(
    row.segments.map(({ start, end, label }) => [start, end, label]),
    [
      [0.8, 5.2, "a"],
      [5.8, 7.2, "b"],
    ],
  );
  assert.equal(row.label, "a");
  assert.deepEqual(shares, [0]);
});

test("a tile that is no speech has no label, does not count, and teaches no voice", async () => {
  const network = loudness();
  const tells = { ...network, run: (samples: Float32Array) => ({ ...network.run(samples), speech: quiet(samples) }) };
  const engine: Engine = { card: { ...CARD, speech: { threshold: 0.5 } }, speech: () => DEAF, network: tells };
  const row = await analyse(engine, [CALL], { file: "a.wav", threshold: 0.5, adaptation: null });
  assert.deepEqual(
    row.segments.map(({ label, code }) => [label, code]),
    [
      [null, "not_speech"],
      ["b", undefined],
    ],
  );
  assert.deepEqual([row.label, row.shares, row.warnings.map(({ code }) => code)], ["b", { b: 1 }, ["not_speech"]]);
  const learnt: number[] = [];
  const voice = {
    scores: (statistics: Float32Array) => network.scores(statistics),
    learn: (_: unknown, seconds: number) => learnt.push(seconds),
    clips: 0,
    seconds: 0,
  };
  const options = { channel: 0, channels: 1, hop: 0.5, threshold: 0.5, voice: voice as never };
  const analyser = new ChannelAnalyser(engine, options);
  const events = [...(await analyser.feed(CALL)), ...(await analyser.flush())];
  const ends = events.flatMap((event) => (event.type === "speech.ended" ? [event.code] : []));
  assert.deepEqual([ends, learnt], [["not_speech", undefined], [1.4]]);
  const previews = events.flatMap((event) => (event.type === "emotion.updated" ? [event.code] : []));
  assert.deepEqual(new Set(previews), new Set(["not_speech", undefined]));
});

/** Speech, for the toy: quiet sounds. */
function quiet(samples: Float32Array): number {
  return Math.max(...samples.map(Math.abs)) < 0.3 ? 0.9 : 0.1;
}

test("unfamiliar speech has less confidence, its distance and a warning; adaptation takes the scores as they are", async () => {
  const familiarity = {
    step: 1,
    axes: Float64Array.of(1),
    centres: [[9]],
    voices: [4],
    spread: [0.1],
    limits: [[1, 1] as const],
    slope: 5,
  };
  const about = { file: "a.wav", threshold: 0.5, adaptation: null };
  const plain = await analyse(ENGINE, [CALL], about);
  const row = await analyse({ ...ENGINE, familiarity }, [CALL], about);
  const lowered = plain.segments.map(
    ({ scores: { a = 0, b = 0 } }) => Math.cbrt(Math.max(a, b)) / (Math.cbrt(a) + Math.cbrt(b)),
  );
  for (const [index, { confidence }] of row.segments.entries())
    assert.ok(Math.abs(confidence - (lowered[index] ?? 0)) < 2e-3, `${confidence}, expected ${lowered[index]}`);
  assert.ok((row.unfamiliarity ?? 0) > 1.5);
  assert.deepEqual(
    row.warnings.map(({ code, message }) => [code, message.split(" (")[0]]),
    [["unfamiliar", "very unlike the recordings in training"]],
  );
  assert.deepEqual([plain.unfamiliarity, plain.warnings], [undefined, []]);
  const options = { channel: 0, channels: 1, hop: 0.5, threshold: 0.5, voice: null, keep: true };
  const analyser = new ChannelAnalyser({ ...ENGINE, familiarity }, options);
  const ends = [...(await analyser.feed(CALL)), ...(await analyser.flush())].filter(
    ({ type }) => type === "speech.ended",
  );
  assert.deepEqual(
    ends.map((event) => "confidence" in event && event.confidence),
    plain.segments.map(({ confidence }) => confidence),
  );
  assert.equal(analyser.unfamiliarity, row.unfamiliarity);
});

test("channels have segments of their own", async () => {
  const row = await analyse(ENGINE, [CALL, chain(silence(6), buzz(2, 0.3))], {
    file: "a.wav",
    threshold: 0.5,
    adaptation: null,
  });
  assert.deepEqual(
    row.segments.map(({ channel }) => channel),
    [0, 0, 1],
  );
});

test("memory does not grow with the length of a call", () => {
  const segmenter = new Segmenter({ window: 3, shortest: 0.3, hop: 0.5 }, DEAF);
  const block = chain(buzz(2, 0.1), silence(1));
  for (let round = 0; round < 100; round += 1) segmenter.feed(block);
  assert.ok(segmenter.bytes < 400_000, `${segmenter.bytes} bytes`);
});

test("the network hears the loudest unit at -26 dBFS, with 4 ms before it, and starts anew after a gap", () => {
  const audio = new PcmBuffer(8000);
  audio.append(buzz(1, 0.001));
  const heard: Float32Array[] = [];
  let starts = 0;
  const network: SpeechNetwork = {
    start: () => {
      starts += 1;
    },
    probability(chunk) {
      heard.push(Float32Array.from(chunk));
      return heard.length > 2 ? 0.9 : 0;
    },
  };
  const units = new SpeechUnits(audio, network);
  assert.equal(units.holdsSpeech(1), true);
  assert.equal(units.holdsSpeech(2), true);
  assert.equal(units.holdsSpeech(4), true);
  assert.equal(starts, 2);
  assert.deepEqual([heard.length, heard[0]?.length], [15, 576]);
  assert.deepEqual(heard[0]?.subarray(512), heard[1]?.subarray(0, 64)); // the context is the end of the chunk before
  const second = heard[1] ?? new Float32Array();
  const level = Math.sqrt(second.reduce((sum, sample) => sum + sample * sample, 0) / 576);
  assert.ok(Math.abs(level - 0.05) < 0.01, `${level}`);
});

test("halves are rounded to the even number, as in Python", () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6].map(halfToEven).map(Number), [0, 2, 2, -0, -2, 2, -3]);
});

for (const rate of [8000, 22_050, 44_100, 48_000]) {
  test(`a tone at ${rate} Hz is the same tone at 16 kHz`, () => {
    const tone = (at: number, length: number) =>
      Float32Array.from({ length }, (_, index) => 0.5 * Math.sin((2 * Math.PI * 1000 * index) / at));
    const made = resampled(tone(rate, rate), rate, 4097);
    assert.equal(made.length, RATE);
    const wanted = tone(RATE, RATE);
    const inside = made.subarray(200, -200);
    const error = Math.max(...inside.map((sample, index) => Math.abs(sample - (wanted[index + 200] ?? 0))));
    assert.ok(error < 1e-4, `${error}`);
  });
}

test("what is above half the rate is gone", () => {
  const tone = Float32Array.from(
    { length: 48_000 },
    (_, index) => 0.5 * Math.sin((2 * Math.PI * 9000 * index) / 48_000),
  );
  const most = Math.max(...resampled(tone, 48_000, 4800).subarray(200, -200).map(Math.abs));
  assert.ok(most < 5e-5, `${most}`);
});

test("resampling does not depend on the chunking, and equal rates change nothing", () => {
  const sound = buzz(1, 0.3, 44_100);
  assert.deepEqual(resampled(sound, 44_100, 441), resampled(sound, 44_100, 44_100));
  assert.deepEqual(resampled(sound, RATE, 1000), sound);
  assert.throws(() => new Resampler(2000, RATE), /got a sample rate of 2000 Hz, expected 4000 to 384000 Hz/);
});

function resampled(samples: Float32Array, rate: number, chunk: number): Float32Array {
  const resampler = new Resampler(rate, RATE);
  const parts: Float32Array[] = [];
  for (let first = 0; first < samples.length; first += chunk)
    parts.push(resampler.feed(samples.subarray(first, first + chunk)));
  return chain(...parts, resampler.flush());
}

test("a live stream keeps nothing of its tiles", async () => {
  const options = { channel: 0, channels: 1, hop: 0.5, threshold: 0.5, voice: null };
  const analyser = new ChannelAnalyser(ENGINE, options);
  await analyser.feed(CALL);
  await analyser.flush();
  assert.deepEqual(analyser.heard, []);
});
