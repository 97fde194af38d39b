// The cases of tests/conformance, which the Python package passes, too; cases.py describes them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
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
}

interface Export {
  readonly row: Row;
  readonly labels: readonly string[];
}

function check<Given, Expected>(topic: string, answer: (given: Given) => Expected): void {
  const path = new URL(`../../../tests/conformance/${topic}.json`, import.meta.url);
  const cases = JSON.parse(readFileSync(path, "utf8")) as Case<Given, Expected>[];
  assert.ok(cases.length > 1);
  for (const { name, given, expected, python_only } of cases) {
    test(`${topic}: ${name}`, { skip: python_only ?? false }, () => same(answer(given), expected));
  }
}

/** Numbers to 1e-9, since sums may be in another order; everything else exactly, the order of keys too. */
function same(given: unknown, expected: unknown, where = ""): void {
  if (typeof given === "number" && typeof expected === "number") {
    assert.ok(Math.abs(given - expected) <= 1e-9, `${where}: got ${given}, expected ${expected}`);
  } else if (isNested(given) && isNested(expected)) {
    assert.deepEqual(Object.keys(given), Object.keys(expected), where);
    for (const [key, value] of Object.entries(expected)) same(given[key], value, `${where}.${key}`);
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

check("summaries", ({ segments, adapted = null, ...about }: Summary) => ({
  row: rowOf({ ...EMPTY_SESSION, segments, adapted } as Session, about),
}));

check("exports", ({ row, labels }: Export) => {
  const document = JSON.parse(jsonText([row], { name: "toy", version: "1" })) as { results: [Row] };
  return { csv: csvText([row], labels), row: document.results[0] };
});
