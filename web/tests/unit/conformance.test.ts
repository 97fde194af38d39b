// The cases of tests/conformance, which the Python package passes, too; cases.py describes them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Resampler } from "../../packages/emovox/src/audio/resample.ts";
import { frameBounds } from "../../packages/emovox/src/detector/frames.ts";
import { DEAF } from "../../packages/emovox/src/detector/speech.ts";
import { Vad } from "../../packages/emovox/src/detector/vad.ts";
import { type Familiarity, RunningDistance } from "../../packages/emovox/src/engine/familiarity.ts";
import type { Adaptation, Network } from "../../packages/emovox/src/engine/model.ts";
import { analyse } from "../../packages/emovox/src/engine/recording.ts";
import { RATE, Segmenter } from "../../packages/emovox/src/engine/segmenter.ts";
import { extend, splitRegion } from "../../packages/emovox/src/engine/tiles.ts";
import { Voice } from "../../packages/emovox/src/engine/voice.ts";
import { instantiate } from "../../packages/emovox/src/wasm/module.ts";
import { encodeS16le } from "../../src/audio/encode.ts";
import { csvText } from "../../src/export/csv.ts";
import { jsonText } from "../../src/export/json.ts";
import type { Adapted, Row, Segment } from "../../src/recogniser/protocol.ts";
import { EMPTY_SESSION, rowOf, type Session } from "../../src/timeline/session.ts";

interface Case<Given, Expected> {
  readonly name: string;
  readonly given: Given;
  readonly expected: Expected;
  readonly python_only?: string;
  readonly tolerance?: number;
}

interface Layer {
  readonly kind: "tone" | "voice" | "noise";
  readonly start: number;
  readonly seconds: number;
  readonly level: number;
  readonly frequency: number;
  readonly harmonics?: number;
  readonly seed: number;
}

interface Formula {
  readonly sample_rate: number;
  readonly seconds: number;
  readonly layers: readonly Layer[];
}

type Sound = { readonly samples: readonly number[] } | { readonly signal: Formula };

interface Summary {
  readonly file: string;
  readonly duration: number;
  readonly threshold: number;
  readonly segments: readonly Segment[];
  readonly adapted?: Adapted | null;
  readonly unfamiliarity?: number | null;
}

interface Export {
  readonly row: Row;
  readonly labels: readonly string[];
}

/** Check each case of a topic, or those of which `isFor` is true and only what the answer has. */
function check<Given, Expected extends object>(
  topic: string,
  answer: (given: Given) => Expected | Promise<Expected>,
  isFor: (given: Given) => boolean = () => true,
): void {
  const path = new URL(`../../../tests/conformance/${topic}.json`, import.meta.url);
  const cases = JSON.parse(readFileSync(path, "utf8")) as Case<Given, Expected>[];
  assert.ok(cases.length > 1);
  for (const { name, given, expected, python_only, tolerance = 1e-9 } of cases.filter((one) => isFor(one.given))) {
    test(`${topic}: ${name}`, { skip: python_only ?? false }, async () => {
      const answered = await answer(given);
      const awaited = Object.entries(expected).filter(([key]) => key in answered);
      assert.ok(awaited.length);
      same(answered, Object.fromEntries(awaited), tolerance);
    });
  }
}

/** Numbers to a tolerance, since sums may be in another order; everything else exactly, the order of keys too. */
function same(given: unknown, expected: unknown, tolerance: number, where = ""): void {
  if (typeof given === "number" && typeof expected === "number") {
    assert.ok(Math.abs(given - expected) <= tolerance, `${where}: got ${given}, expected ${expected}`);
  } else if (isNested(given) && isNested(expected)) {
    assert.deepEqual(Object.keys(given), Object.keys(expected), where);
    for (const [key, value] of Object.entries(expected)) same(given[key], value, tolerance, `${where}.${key}`);
  } else {
    assert.deepEqual(given, expected, where);
  }
}

const isNested = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function signal({ sample_rate, seconds, layers }: Formula): Float32Array {
  const total = new Float64Array(Math.round(seconds * sample_rate));
  for (const layer of layers) {
    const first = Math.round(layer.start * sample_rate);
    for (const [index, value] of valuesOf(layer, sample_rate).entries()) {
      if (first + index < total.length) total[first + index] = (total[first + index] ?? 0) + value;
    }
  }
  return Float32Array.from(
    total,
    (value) => Math.max(-32_768, Math.min(32_767, Math.floor(value * 32_768 + 0.5))) / 32_768,
  );
}

function valuesOf(layer: Layer, sampleRate: number): number[] {
  let x = layer.seed;
  const value = (index: number): number => {
    if (layer.kind === "noise") {
      x = (Math.imul(1_664_525, x) + 1_013_904_223) >>> 0;
      return layer.level * (x / 2 ** 31 - 1);
    }
    const phase = (2 * Math.PI * layer.frequency * index) / sampleRate;
    const numbers = Array.from({ length: layer.harmonics ?? 1 }, (_, number) => number + 1);
    return layer.level * numbers.reduce((sum, number) => sum + Math.sin(number * phase) / number, 0);
  };
  return Array.from({ length: Math.round(layer.seconds * sampleRate) }, (_, index) => value(index));
}

check("encoding", (given: Sound) => {
  const samples = "signal" in given ? signal(given.signal) : Float32Array.from(given.samples);
  return { s16le: Buffer.from(encodeS16le(samples)).toString("hex") };
});

check("summaries", ({ segments, adapted = null, unfamiliarity, ...about }: Summary) => {
  const distances = new Map(typeof unfamiliarity === "number" ? [[0, unfamiliarity]] : []);
  return { row: rowOf({ ...EMPTY_SESSION, segments, adapted, distances } as Session, about) };
});

check("exports", ({ row, labels }: Export) => {
  const document = JSON.parse(jsonText([row], { name: "toy", version: "1" })) as { results: [Row] };
  return { csv: csvText([row], labels), row: document.results[0] };
});

check("framing", ({ samples, length, hop }: { samples: number; length: number; hop: number }) => ({
  frames: frameBounds(samples, length, hop),
}));

interface Region {
  readonly start: number;
  readonly end: number;
  readonly window: number;
  readonly step: number;
  readonly total: number | null;
}

check("tiles", ({ start, end, window, step, total }: Region) => {
  const tiles = splitRegion(start, end, window);
  return { tiles, audio: tiles.map(([first, last]) => extend(first, last, step, total)) };
});

check("vad", ({ signal: formula }: { signal: Formula }) => {
  const samples = signal(formula);
  const detector = new Vad(formula.sample_rate);
  return { levels: runs([...detector.feed(samples), ...detector.flush()]) };
});

check(
  "vad",
  ({ signal: formula }: { signal: Formula }) => {
    const segmenter = new Segmenter({ window: 3, shortest: 0.3, hop: null }, DEAF);
    const events = [...segmenter.feed(signal(formula)), ...segmenter.flush()];
    return {
      tiles: events.flatMap((event) => (event.kind === "tile" ? [[event.region, event.start, event.end]] : [])),
    };
  },
  ({ signal: formula }) => formula.sample_rate === RATE, // the page resamples to that first
);

/** Return runs of equal numbers as [number, count]. */
function runs(levels: readonly number[]): [level: number, count: number][] {
  const found: [level: number, count: number][] = [];
  for (const level of levels) {
    const last = found.at(-1);
    if (last?.[0] === level) last[1] += 1;
    else found.push([level, 1]);
  }
  return found;
}

interface Live {
  readonly signal: Formula;
  readonly window: number;
  readonly hop: number;
}

check("pieces", ({ signal: formula, window, hop }: Live) => {
  const segmenter = new Segmenter({ window, shortest: 0.3, hop }, DEAF);
  const events = [...segmenter.feed(signal(formula)), ...segmenter.flush()];
  return {
    pieces: events.flatMap((event) => {
      if (event.kind !== "tile" && event.kind !== "preview") return [];
      const peak = event.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
      const { region, start, end, samples } = event;
      return [[event.kind === "tile" ? 1 : 0, region, start, end, samples.length, Math.round(peak * 32_768)]];
    }),
  };
});

interface Clips {
  readonly weights: readonly (readonly number[])[];
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  readonly adaptation: Pick<Adaptation, "variance"> &
    Readonly<Record<"axes" | "apart" | "within", readonly (readonly number[])[]>> & {
      readonly gate: Readonly<Record<"mean" | "scale" | "weights", readonly number[]>> & { readonly bias: number };
    };
  readonly statistics: readonly (readonly number[])[];
}

check("adaptation", async ({ adaptation, statistics, ...head }: Clips) => {
  const network = toyHead(head);
  const { axes, apart, within, variance, gate } = adaptation;
  const flat = (rows: readonly (number | readonly number[])[]) => Float64Array.from(rows.flat());
  const voice = new Voice(network, {
    axes: flat(axes),
    apart: flat(apart),
    within: flat(within),
    variance,
    gate: { mean: flat(gate.mean), scale: flat(gate.scale), weights: flat(gate.weights), bias: gate.bias },
  });
  const scores: number[][] = [];
  for (const row of statistics) {
    const clip = Float32Array.from(row);
    scores.push([...(await voice.scores(clip))].map((score) => Number(score.toFixed(5))));
    voice.learn({ statistics: clip, scores: await network.scores(clip, network.profile) }, 3);
  }
  return { scores };
});

/** A head of one affine map: softmax of weights [p, labels] times standardised statistics. */
function toyHead({ weights, mean, scale }: Pick<Clips, "weights" | "mean" | "scale">): Network {
  return {
    profile: { mean: Float32Array.from(mean), scale: Float32Array.from(scale) },
    run: () => assert.fail("only the head is used"),
    scores(statistics, profile) {
      const standard = statistics.map(
        (value, index) => (value - (profile.mean[index] ?? 0)) / (profile.scale[index] ?? 1),
      );
      const logits = (weights[0] ?? []).map((_, label) =>
        weights.reduce((sum, row, index) => sum + (row[label] ?? 0) * (standard[index] ?? 0), 0),
      );
      const exponentials = logits.map(Math.exp);
      const total = exponentials.reduce((sum, value) => sum + value, 0);
      return Float32Array.from(exponentials, (value) => value / total);
    },
  };
}

const WASM = readFileSync(new URL("../../../src/emovox/serving/static/local/emovox.wasm", import.meta.url));
const loading = instantiate(WASM);

interface Tiles {
  readonly familiarity: Omit<Familiarity, "axes"> & { readonly axes: readonly (readonly number[])[] };
  readonly statistics: readonly (readonly number[])[];
  readonly scores: readonly (readonly number[])[];
}

check("familiarity", ({ familiarity, statistics, scores }: Tiles) => {
  const running = new RunningDistance({ ...familiarity, axes: Float64Array.from(familiarity.axes.flat()) });
  return {
    tiles: statistics.map((row, index) => {
      running.add(Float32Array.from(row));
      const lowered = running.tempered(Float32Array.from(scores[index] ?? []));
      return [running.distance ?? 0, ...lowered].map((value) => Number(value.toFixed(5)));
    }),
  };
});

check("recordings", async ({ signal: formula }: { signal: Formula }) => {
  const { card, adaptation, ...engine } = await loading;
  const resampler = new Resampler(formula.sample_rate, RATE);
  const samples = Float32Array.from([...resampler.feed(signal(formula)), ...resampler.flush()]);
  const about = { file: "a", threshold: card.threshold, adaptation };
  const { speech: _, ...credulous } = card;
  const told = await analyse({ card, ...engine }, [samples], { ...about, adaptation: null });
  const { segments } = await analyse({ card: credulous, ...engine }, [samples], about);
  return {
    codes: told.segments.map(({ code = null }) => code),
    segments: segments.map(({ start, end, scores, plain_scores }) => ({
      start,
      end,
      plain: Object.values(plain_scores ?? {}),
      adapted: Object.values(scores),
    })),
  };
});
