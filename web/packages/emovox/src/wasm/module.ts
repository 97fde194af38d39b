// The model and the network that finds speech, as compiled C. `emovox export mobile --to wasm` makes the file.
import type { SpeechNetwork } from "../detector/speech.ts";
import type { Engine } from "../engine/channel.ts";
import type { Network, Profile, Scored } from "../engine/model.ts";
import { EmovoxError } from "../errors.ts";
import { type Contents, contentsOf } from "./description.ts";
import { hasSimd } from "./simd.ts";

interface Exports {
  readonly memory: WebAssembly.Memory;
  _initialize?(): void;
  /** Take the mean and scale of the training set. */
  emovox_start(): void;
  emovox_samples(): number;
  emovox_statistics(): number;
  emovox_scores(): number;
  /** Its probability [1] of speech in the samples of the latest run. */
  emovox_speech(): number;
  emovox_mean(): number;
  emovox_scale(): number;
  /** Score `count` samples; 0 if the network takes no such length. */
  emovox_run(count: number): number;
  /** Score the statistics with mean and scale. */
  emovox_score(): void;
  speech_chunk(): number;
  /** Its state [256]: that of the recurrent layer. */
  speech_state(): number;
  speech_probability(): number;
}

/** A loaded file. */
export interface Loaded extends Engine, Contents {
  readonly card: Contents["card"];
  readonly familiarity: Contents["familiarity"];
}

/**
 * Load the file of a model.
 *
 * @param url address of the file.
 * @throws EmovoxError `no_simd`, `wasm_unreachable`, `wasm_damaged` or `wasm_version`.
 */
export async function load(url: string): Promise<Loaded> {
  return await instantiate(await bytesOf(url));
}

/** Compile the bytes of a file; errors are those of `load`. */
export async function instantiate(bytes: BufferSource): Promise<Loaded> {
  if (!hasSimd())
    throw new EmovoxError(
      "no_simd",
      "this browser runs no WebAssembly with SIMD; update it: Chrome and Edge 91, Firefox 89, Safari 16.4 or newer",
    );
  const module = await compiled(bytes);
  const contents = contentsOf(module);
  const { exports } = await WebAssembly.instantiate(module, stubs(module));
  const native = exports as unknown as Exports;
  native._initialize?.();
  native.emovox_start();
  const network = networkOf(native, contents);
  network.run(new Float32Array(contents.lengths[0] ?? 0)); // the first call is slow: the browser optimises the code
  return { ...contents, network, speech: () => speechOf(native) };
}

/** Fetch a file. */
export async function bytesOf(
  url: string,
  code: "wasm_unreachable" | "model_unreachable" = "wasm_unreachable",
): Promise<ArrayBuffer> {
  const option = code === "wasm_unreachable" ? "wasm" : "model";
  const advice = `check the address in the option \`${option}\`, and that the server has the file`;
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new EmovoxError(code, `${url} cannot be fetched; ${advice}`, { cause: error });
  }
  if (!response.ok) throw new EmovoxError(code, `${url} answers with HTTP ${response.status}; ${advice}`);
  return await response.arrayBuffer();
}

async function compiled(bytes: BufferSource): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    if (error instanceof WebAssembly.CompileError && /unsafe-eval|Content Security Policy/.test(error.message))
      throw new EmovoxError(
        "wasm_damaged",
        "the page's Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to script-src",
        { cause: error },
      );
    throw new EmovoxError(
      "wasm_damaged",
      `got ${bytes.byteLength} bytes that are no WebAssembly (${messageOf(error)}); load the file again without a cache, ` +
        "and check that the server sends it unchanged",
      { cause: error },
    );
  }
}

/** The file needs no system; what the compiler's library imports all the same does nothing. */
function stubs(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: Record<string, Record<string, () => number>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {};
    Object.assign(imports[from], { [name]: () => 0 });
  }
  return imports;
}

function networkOf(native: Exports, { card, statistics: width, lengths }: Contents): Network {
  const view = (address: number, length: number) => new Float32Array(native.memory.buffer, address, length);
  const longest = lengths.at(-1) ?? 0;
  const samples = view(native.emovox_samples(), longest);
  const statistics = view(native.emovox_statistics(), width);
  const scores = view(native.emovox_scores(), card.labels.length);
  const speech = view(native.emovox_speech(), 1);
  const [mean, scale] = [view(native.emovox_mean(), width), view(native.emovox_scale(), width)];
  const profile: Profile = { mean: mean.slice(), scale: scale.slice() };
  const use = (chosen: Profile): void => {
    mean.set(chosen.mean);
    scale.set(chosen.scale);
  };
  const scored = (given: Float32Array, chosen: Profile): Float32Array => {
    use(chosen);
    statistics.set(given);
    native.emovox_score();
    return scores.slice();
  };
  return {
    profile,
    run(piece: Float32Array): Scored {
      const length = lengths.find((one) => one >= piece.length);
      if (length === undefined || piece.length < (lengths[0] ?? 0))
        throw new RangeError(`got ${piece.length} samples, expected ${lengths[0]} to ${longest}`);
      samples.set(piece);
      // A recording shorter than its tile goes on backwards to the next length that there is, for under 0.1 s.
      for (let place = piece.length; place < length; place += 1)
        samples[place] = piece[2 * piece.length - 2 - place] ?? 0;
      native.emovox_run(length);
      const found = statistics.slice();
      const told = card.speech ? { speech: speech[0] ?? 1 } : {};
      return { scores: scored(found, profile), statistics: found, ...told };
    },
    scores: scored,
  };
}

function speechOf(native: Exports): SpeechNetwork {
  const place = new Float32Array(native.memory.buffer, native.speech_chunk(), 576);
  const working = new Float32Array(native.memory.buffer, native.speech_state(), 256);
  const state = new Float32Array(working.length); // each channel has its own
  return {
    start: () => void state.fill(0),
    probability(chunk) {
      place.set(chunk);
      working.set(state);
      const found = native.speech_probability();
      state.set(working);
      return found;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
