// A model by onnxruntime-web, with a fake of it: what it is asked, in which order, and what is wrong with its files.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createRecogniser, EmovoxError } from "../../packages/emovox/src/index.ts";
import { type OnnxApi, withOnnx } from "../../packages/emovox/src/onnx/model.ts";
import type { Loaded } from "../../packages/emovox/src/wasm/module.ts";

const FILES = { url: "m.onnx", head: "m-head.onnx", card: "m.web.json", script: "ort.mjs", wasm: "ort.wasm" };
const DESCRIPTION = {
  format: 2,
  card: { name: "toy", labels: ["calm", "angry"], speech: { threshold: 0.5 } },
  statistics: 2,
  lengths: [4800],
  adaptation: null,
  familiarity: { step: 1, axes: [0.5, 0.25], centres: [[0]], voices: [1], spread: [1], limits: [[1, 1]], slope: 2 },
  profile: { mean: [1, 2], scale: [3, 4] },
};
const COMPILED = { speech: () => "of the wasm file" } as unknown as Loaded;

class FakeTensor {
  constructor(
    readonly type: string,
    readonly data: Float32Array,
    readonly dims: readonly number[],
  ) {}
}

/** Its graph tells the length of the samples; its head adds statistics, mean and scale. */
function fake({ creating = null as Error | null } = {}) {
  const [calls, running]: [string[], Set<number>] = [[], new Set()];
  const run = async (feeds: Readonly<Record<string, FakeTensor>>) => {
    assert.equal(running.size, 0, "one thing at a time");
    running.add(1);
    calls.push(
      Object.entries(feeds)
        .map(([name, { dims }]) => `${name} [${dims}]`)
        .join(", "),
    );
    await new Promise((resolve) => setTimeout(resolve));
    running.clear();
    const values = Object.values(feeds).map(({ data }) => data);
    const sum = [0, 1].map((index) => values.reduce((total, one) => total + (one[index] ?? 0), 0));
    const length = values[0]?.length ?? 0;
    const tensor = (...given: number[]) => new FakeTensor("float32", Float32Array.from(given), [1, given.length]);
    return { scores: tensor(...sum), statistics: tensor(length, 0), speech: tensor(0.25) };
  };
  const create = async () => {
    if (creating) throw creating;
    return { run };
  };
  const api = { env: { wasm: {} }, Tensor: FakeTensor, InferenceSession: { create } };
  return { api: api as unknown as OnnxApi, calls };
}

function serve(context: TestContext, files: Readonly<Record<string, string>>): void {
  context.mock.method(globalThis, "fetch", async (url: string) =>
    url in files ? new Response(files[url]) : new Response("", { status: 404 }),
  );
}

const WHOLE = { "m.onnx": "graph", "m-head.onnx": "head", "m.web.json": JSON.stringify(DESCRIPTION) };
const failsWith = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof EmovoxError && error.code === code && message.test(error.message);

test("the graph scores samples of any length, the head scores statistics for a speaker; one thing at a time", async (context) => {
  serve(context, WHOLE);
  const { api, calls } = fake();
  const { network, card, speech, familiarity } = await withOnnx(COMPILED, FILES, async () => api);
  assert.deepEqual(api.env.wasm, { numThreads: 1, wasmPaths: { wasm: "ort.wasm" } });
  assert.deepEqual([card.name, speech()], ["toy", "of the wasm file"]);
  assert.deepEqual(familiarity?.axes, Float64Array.of(0.5, 0.25));
  assert.deepEqual(network.profile, { mean: Float32Array.of(1, 2), scale: Float32Array.of(3, 4) });
  const [scored, scores] = await Promise.all([
    network.run(new Float32Array(5001)),
    network.scores(Float32Array.of(10, 20), network.profile),
  ]);
  assert.deepEqual(scored, { scores: Float32Array.of(0, 0), statistics: Float32Array.of(5001, 0), speech: 0.25 });
  assert.deepEqual(scores, Float32Array.of(14, 26));
  const head = "statistics [1,2], speaker_mean [1,2], speaker_scale [1,2]";
  assert.deepEqual(calls, ["samples [1,4800]", "samples [1,5001]", head]);
});

test("a file that is missing, damaged or of another version says what and what next", async (context) => {
  const opening = (files: Readonly<Record<string, string>>, { api } = fake()) => {
    context.mock.restoreAll();
    serve(context, files);
    return withOnnx(COMPILED, FILES, async () => api);
  };
  const { "m-head.onnx": _, ...headless } = WHOLE;
  await assert.rejects(opening(headless), failsWith("model_unreachable", /m-head.onnx answers with HTTP 404.*`model`/));
  const page = { ...WHOLE, "m.web.json": "<html>" };
  await assert.rejects(opening(page), failsWith("model_damaged", /m.web.json is no file of emovox export --to web/));
  const other = { ...WHOLE, "m.web.json": JSON.stringify({ ...DESCRIPTION, format: 99 }) };
  await assert.rejects(opening(other), failsWith("wasm_version", /m.web.json has format 99, this code reads format 2/));
  const broken = fake({ creating: new Error("protobuf parsing failed") });
  await assert.rejects(opening(WHOLE, broken), failsWith("model_damaged", /m.onnx .*protobuf.*export the model again/));
});

test("an onnxruntime-web that is missing says which files to copy", async (context) => {
  serve(context, WHOLE);
  const missing = async () => Promise.reject(new TypeError("Failed to fetch"));
  await assert.rejects(withOnnx(COMPILED, FILES, missing), failsWith("runtime_unreachable", /from ort.mjs .*copy its/));
  const { api } = fake({ creating: new Error("no available backend found. ERR: [wasm] 404") });
  const opening = withOnnx(COMPILED, FILES, async () => api);
  await assert.rejects(opening, failsWith("runtime_unreachable", /from ort.wasm .*option `onnxruntime`/));
});

test("a model without onnxruntime-web is refused before anything is loaded", async () => {
  Object.assign(globalThis, { document: { baseURI: "http://page.test/" } });
  const model = { kind: "onnx", url: "m.onnx", head: "m-head.onnx", card: "m.web.json" } as const;
  await assert.rejects(createRecogniser({ model }), failsWith("runtime_unreachable", /install onnxruntime-web/));
});
