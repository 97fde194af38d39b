// A model run by onnxruntime-web, in place of that in emovox.wasm. Its code is loaded only if it is asked for.
import type { Network, Profile, Scored } from "../engine/model.ts";
import { EmovoxError } from "../errors.ts";
import { type Contents, contentsIn, type Description } from "../wasm/description.ts";
import { bytesOf, type Loaded } from "../wasm/module.ts";

/** Absolute addresses of the files that `emovox export --to web` writes, and of two files of onnxruntime-web. */
export interface OnnxFiles {
  readonly url: string;
  readonly head: string;
  readonly card: string;
  readonly script: string;
  readonly wasm: string;
}

interface OnnxTensor {
  readonly data: Float32Array;
}

interface OnnxSession {
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
}

interface OnnxOptions {
  readonly executionProviders: readonly string[];
  readonly logSeverityLevel: 0 | 1 | 2 | 3 | 4;
}

const QUIET: OnnxOptions = { executionProviders: ["wasm"], logSeverityLevel: 3 }; // errors, no advice for exporters

/** What is used of onnxruntime-web. */
export interface OnnxApi {
  readonly env: { readonly wasm: { numThreads?: number; wasmPaths?: { readonly wasm: string } } };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OnnxTensor;
  readonly InferenceSession: {
    create(bytes: Uint8Array, options: OnnxOptions): Promise<OnnxSession>;
  };
}

type OnnxDescription = Description & {
  readonly profile: { readonly mean: readonly number[]; readonly scale: readonly number[] };
};

/** Load onnxruntime-web from its address. */
export async function imported(script: string): Promise<OnnxApi> {
  return (await import(/* webpackIgnore: true */ /* @vite-ignore */ script)) as OnnxApi;
}

/**
 * Return a loaded wasm file with another model: what finds speech stays.
 *
 * @param load loads onnxruntime-web.
 * @throws EmovoxError `model_unreachable`, `model_damaged`, `runtime_unreachable` or `wasm_version`.
 */
export async function withOnnx(
  loaded: Loaded,
  files: OnnxFiles,
  load: (script: string) => Promise<OnnxApi>,
): Promise<Loaded> {
  const [card, graph, head] = await Promise.all(
    [files.card, files.url, files.head].map((url) => bytesOf(url, "model_unreachable")),
  );
  const description = described(card, files.card);
  const contents = contentsIn(description, files.card);
  const api = await runtimeOf(files, load);
  const sessions = { graph: await sessionOf(api, graph, files.url), head: await sessionOf(api, head, files.head) };
  const [mean, scale] = [Float32Array.from(description.profile.mean), Float32Array.from(description.profile.scale)];
  const network = networkOf(api, sessions, contents, { mean, scale });
  await network.run(new Float32Array(contents.lengths[0] ?? 0)); // the first call is slow
  return { ...contents, network, speech: loaded.speech };
}

function described(bytes: ArrayBuffer | undefined, url: string): OnnxDescription {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as OnnxDescription;
  } catch (error) {
    throw damaged(url, error);
  }
}

/** One thread, since more need the headers COOP and COEP. */
async function runtimeOf({ script, wasm }: OnnxFiles, load: (script: string) => Promise<OnnxApi>): Promise<OnnxApi> {
  try {
    const api = await load(script);
    api.env.wasm.numThreads = 1;
    api.env.wasm.wasmPaths = { wasm };
    return api;
  } catch (error) {
    throw unreachable(script, error);
  }
}

async function sessionOf(api: OnnxApi, bytes: ArrayBuffer | undefined, url: string): Promise<OnnxSession> {
  try {
    return await api.InferenceSession.create(new Uint8Array(bytes ?? []), QUIET);
  } catch (error) {
    const isRuntime = /no available backend/.test(textOf(error)); // its wasm file is loaded with the first session
    throw isRuntime ? unreachable(String(api.env.wasm.wasmPaths?.wasm), error) : damaged(url, error);
  }
}

function networkOf(
  api: OnnxApi,
  { graph, head }: { readonly graph: OnnxSession; readonly head: OnnxSession },
  { card }: Contents,
  profile: Profile,
): Network {
  const row = (values: Float32Array) => new api.Tensor("float32", values, [1, values.length]);
  let work: Promise<unknown> = Promise.resolve(); // sessions do not run two things at once
  const inOrder = <T>(task: () => Promise<T>): Promise<T> => {
    const done = work.then(task);
    work = done.catch(() => undefined);
    return done;
  };
  return {
    profile,
    run: (samples) =>
      inOrder(async (): Promise<Scored> => {
        const found = await graph.run({ samples: row(samples) });
        const told = card.speech ? { speech: valuesOf(found, "speech")[0] ?? 1 } : {};
        return { scores: valuesOf(found, "scores"), statistics: valuesOf(found, "statistics"), ...told };
      }),
    scores: (statistics, { mean, scale }) =>
      inOrder(async () => {
        const given = { statistics: row(statistics), speaker_mean: row(mean), speaker_scale: row(scale) };
        return valuesOf(await head.run(given), "scores");
      }),
  };
}

function valuesOf(found: Readonly<Record<string, OnnxTensor>>, name: string): Float32Array {
  const tensor = found[name];
  if (!tensor) throw new EmovoxError("model_damaged", `the model has no output '${name}'; export it again`);
  return tensor.data.slice();
}

function unreachable(url: string, error: unknown): EmovoxError {
  return new EmovoxError(
    "runtime_unreachable",
    `onnxruntime-web cannot be loaded from ${url} (${textOf(error)}); copy its files \`ort.wasm.bundle.min.mjs\` and ` +
      "`ort-wasm-simd-threaded.wasm` to your server, and give their addresses in the option `onnxruntime`",
    { cause: error },
  );
}

function damaged(url: string, error: unknown): EmovoxError {
  return new EmovoxError(
    "model_damaged",
    `${url} is no file of emovox export --to web (${textOf(error)}); export the model again, and load it without a cache`,
    { cause: error },
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
