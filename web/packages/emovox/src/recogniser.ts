// The API: a recogniser that works in this browser alone. Nothing is uploaded.
import { decode, mixed, soundOf } from "./audio/decode.ts";
import { isMicrophoneOffered, Microphone, MicrophoneError, type MicrophoneProblem } from "./audio/microphone.ts";
import { HIGHEST_RATE, LOWEST_RATE } from "./audio/resample.ts";
import { EmovoxError } from "./errors.ts";
import type { OnnxFiles } from "./onnx/model.ts";
import type { EmotionUpdated, LiveEvent, Row, SpeechEnded, SpeechStarted } from "./types.ts";
import type { ModelInfo } from "./wasm/description.ts";
import { Client, type Port } from "./worker/client.ts";
import type { Finished, Settings, Sound } from "./worker/messages.ts";

/** Addresses of the files that `emovox export MODEL --to web` writes. */
export interface OnnxModel {
  readonly kind: "onnx";
  /** `MODEL.onnx`. */
  readonly url: string | URL;
  /** `MODEL-head.onnx`. */
  readonly head: string | URL;
  /** `MODEL.web.json`. */
  readonly card: string | URL;
}

export interface OnnxRuntime {
  /** `ort.wasm.bundle.min.mjs`. */
  readonly script: string | URL;
  /** `ort-wasm-simd-threaded.wasm`. */
  readonly wasm: string | URL;
}

/** Where the files of the package are; by default beside its script, where bundlers find them. */
export interface RecogniserOptions {
  /** Address of `emovox.wasm`. */
  readonly wasm?: string | URL;
  /** Another model in place of that in `emovox.wasm`, run by onnxruntime-web; it needs `onnxruntime`. */
  readonly model?: OnnxModel;
  /** Addresses of two files in the folder `dist` of the package onnxruntime-web. */
  readonly onnxruntime?: OnnxRuntime;
  /** Address of `worker.js`, or a Worker that runs it. */
  readonly worker?: string | URL | Worker;
  /** Address of `worklet.js`. */
  readonly worklet?: string | URL;
}

export interface ScoreOptions {
  /** Probability from 0 to 1 below which no label is given; default: the model's. */
  readonly threshold?: number;
  /** Adapt the scores to the voice; default: false. */
  readonly adapt?: boolean;
}

export interface AnalyseOptions extends ScoreOptions {
  /** Name in the result; default: that of the file. */
  readonly name?: string;
  /** `mix` analyses the mean of the channels, `split` each of them, as for a call with one party each. */
  readonly channels?: "mix" | "split";
  readonly signal?: AbortSignal;
  /** Called with the share that is done, from 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

export interface StreamOptions extends ScoreOptions {
  readonly onEvent: (event: LiveEvent) => void;
  /** The Worker has failed; nothing follows. */
  readonly onFailure?: (error: EmovoxError) => void;
}

export interface ListenOptions extends ScoreOptions {
  /** Speech begins. */
  readonly onStart?: (event: SpeechStarted) => void;
  /** A preview, every half second of speech. */
  readonly onUpdate?: (event: EmotionUpdated) => void;
  /** The verdict on an utterance, with its segments. */
  readonly onEnd?: (event: SpeechEnded) => void;
  /** The microphone or the Worker has failed; nothing follows. */
  readonly onFailure?: (error: EmovoxError) => void;
}

/** A stream of mono samples in [-1, 1], of any number at a time. */
export interface EmotionStream {
  send(samples: Float32Array): void;
  /** End the stream; resolves after the last event. */
  finish(): Promise<Finished>;
  /** End it at once, without further events. */
  close(): void;
}

/** A microphone that is being heard. */
export interface LiveSession {
  /** Sample rate of the device in Hz. */
  readonly sampleRate: number;
  /** Stop, and resolve after the last event. */
  stop(): Promise<void>;
}

/** A model in a Worker of this page. */
export class EmotionRecogniser {
  /** @internal */
  constructor(
    readonly model: ModelInfo,
    private readonly client: Client,
    private readonly worklet: URL,
  ) {}

  /**
   * Recognise the emotions of a recording.
   *
   * @param file a file or other bytes of sound that the browser decodes, or decoded sound.
   * @throws EmovoxError `too_large`, `undecodable`, `bad_rate`, `not_adaptable`, `worker_failed` or `closed`; and the
   *   reason of `signal`, an `AbortError` by default.
   */
  async analyse(file: Blob | AudioBuffer, options: AnalyseOptions = {}): Promise<Row> {
    const { signal, onProgress = () => undefined, channels = "mix" } = options;
    signal?.throwIfAborted();
    const name = options.name ?? (file instanceof File ? file.name : "recording");
    const decoded = file instanceof Blob ? await decode(file, name) : soundOf(file);
    signal?.throwIfAborted();
    const sound = checked(channels === "split" ? decoded : mixed(decoded));
    const question = { file: name, sound, settings: settingsOf(options) };
    const id = this.client.next;
    const answer = this.client.ask("analyse", question, { onProgress }, buffersOf(sound));
    return await orAborted(answer, signal, () => void this.client.ask("cancel", { of: id }));
  }

  /**
   * Open a stream of samples, for example of a call.
   *
   * @param sampleRate in Hz, 4000 to 384000; the stream is resampled.
   * @throws EmovoxError `bad_rate`, `not_adaptable` or `closed`.
   */
  async stream(sampleRate: number, options: StreamOptions): Promise<EmotionStream> {
    checkRate(sampleRate);
    const { client } = this;
    const stream = client.next;
    const { onEvent, onFailure = () => undefined } = options;
    const listener = { onEvent, onFailure };
    await client.ask("open", { sampleRate, settings: settingsOf(options) }, listener);
    return {
      send: (samples) => void client.ask("feed", { stream, samples: samples.slice() }).catch(onFailure),
      async finish() {
        const finished = await client.ask("finish", { stream });
        client.forget(stream);
        return finished;
      },
      close() {
        client.forget(stream);
        client.ask("drop", { stream }).catch(() => undefined); // a Worker that has failed holds no stream
      },
    };
  }

  /**
   * Hear the microphone, at the device's own rate.
   *
   * @throws EmovoxError with a code that begins with `microphone_`, and those of `stream`.
   */
  async listen(options: ListenOptions): Promise<LiveSession> {
    const fail = (error: EmovoxError): void => {
      microphone?.close();
      options.onFailure?.(error);
    };
    let stream: EmotionStream | null = null;
    let microphone: Microphone | null = null;
    microphone = await openMicrophone(this.worklet, {
      onFrame: (samples) => stream?.send(samples),
      onPause: () => undefined, // the stream has no sound meanwhile
      onEnd: () => fail(microphoneError("gone")),
    });
    const { sampleRate } = microphone;
    try {
      stream = await this.stream(sampleRate, {
        ...options,
        onEvent: (event) => deliver(event, options),
        onFailure: fail,
      });
    } catch (error) {
      microphone.close();
      throw error;
    }
    const [device, opened] = [microphone, stream];
    return {
      sampleRate,
      async stop() {
        device.close();
        await opened.finish();
      },
    };
  }

  /** End the Worker. */
  close(): void {
    this.client.close();
  }
}

/**
 * Load the model and start its Worker.
 *
 * @throws EmovoxError `no_simd`, `wasm_unreachable`, `wasm_damaged`, `wasm_version` or `worker_unreachable`; with
 *   `model` also `model_unreachable`, `model_damaged` or `runtime_unreachable`.
 */
export async function createRecogniser(options: RecogniserOptions = {}): Promise<EmotionRecogniser> {
  const wasm = absolute(options.wasm ?? new URL("./emovox.wasm", import.meta.url));
  const worklet = new URL(absolute(options.worklet ?? new URL("./worklet.js", import.meta.url)));
  const onnx = onnxFilesOf(options);
  const client = new Client(workerOf(options.worker) as unknown as Port);
  try {
    return new EmotionRecogniser(await client.ask("load", { wasm, ...(onnx ? { onnx } : {}) }), client, worklet);
  } catch (error) {
    client.close();
    throw error;
  }
}

function onnxFilesOf({ model, onnxruntime }: RecogniserOptions): OnnxFiles | null {
  if (!model) return null;
  if (!onnxruntime)
    throw new EmovoxError(
      "runtime_unreachable",
      "got `model` without `onnxruntime`; install onnxruntime-web and give the addresses of its script and wasm",
    );
  const [script, wasm] = [absolute(onnxruntime.script), absolute(onnxruntime.wasm)];
  return { url: absolute(model.url), head: absolute(model.head), card: absolute(model.card), script, wasm };
}

function workerOf(given: RecogniserOptions["worker"]): Worker {
  if (given instanceof Worker) return given;
  if (given !== undefined) return new Worker(given, { type: "module" });
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
}

function absolute(address: string | URL): string {
  return new URL(address, document.baseURI).href;
}

function settingsOf({ threshold, adapt = false }: ScoreOptions): Settings {
  return { threshold: threshold ?? null, adapt };
}

function checked(sound: Sound): Sound {
  checkRate(sound.sampleRate);
  return sound;
}

function checkRate(sampleRate: number): void {
  if (!(sampleRate >= LOWEST_RATE && sampleRate <= HIGHEST_RATE))
    throw new EmovoxError(
      "bad_rate",
      `got a sample rate of ${sampleRate} Hz, expected ${LOWEST_RATE} to ${HIGHEST_RATE} Hz; give the rate of the samples`,
    );
}

function buffersOf({ channels }: Sound): Transferable[] {
  return [...new Set(channels.map((samples) => samples.buffer as ArrayBuffer))];
}

/** Settle with an answer, or, once the signal aborts, with its reason. */
async function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined, cancel: () => void): Promise<T> {
  if (!signal) return await answer;
  return await new Promise((resolve, reject) => {
    const stop = () => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

function deliver(event: LiveEvent, { onStart, onUpdate, onEnd }: ListenOptions): void {
  if (event.type === "speech.started") onStart?.(event);
  else if (event.type === "emotion.updated") onUpdate?.(event);
  else onEnd?.(event);
}

const ADVICE: Readonly<Record<MicrophoneProblem, string>> = {
  insecure: "this page has no microphone; serve it over HTTPS, or from localhost",
  denied: "the microphone is not allowed; allow it in the browser's settings of this page",
  missing: "there is no microphone; connect one",
  busy: "the microphone gives no sound; close other programs that use it",
  gone: "the microphone was removed; connect it and listen again",
  unserved: "the script of the microphone cannot be loaded; give the address of worklet.js in the option `worklet`",
};

function microphoneError(problem: MicrophoneProblem, cause?: unknown): EmovoxError {
  return new EmovoxError(`microphone_${problem}`, ADVICE[problem], { cause });
}

async function openMicrophone(...given: Parameters<typeof Microphone.open>): Promise<Microphone> {
  if (!isMicrophoneOffered()) throw microphoneError("insecure");
  try {
    return await Microphone.open(...given);
  } catch (error) {
    throw error instanceof MicrophoneError ? microphoneError(error.problem, error) : error;
  }
}
