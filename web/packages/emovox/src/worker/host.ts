// The Worker's side: it has the model, analyses recordings and serves streams.
import { Resampler } from "../audio/resample.ts";
import { adaptedTo, ChannelAnalyser } from "../engine/channel.ts";
import type { Adaptation } from "../engine/model.ts";
import { analyse } from "../engine/recording.ts";
import { RATE } from "../engine/segmenter.ts";
import { Voice } from "../engine/voice.ts";
import { EmovoxError } from "../errors.ts";
import type { OnnxFiles } from "../onnx/model.ts";
import type { LiveEvent } from "../types.ts";
import type { Loaded } from "../wasm/module.ts";
import type { Finished, Kind, Reply, Request, Requests, Settings, Sound } from "./messages.ts";

interface Stream {
  readonly resampler: Resampler;
  readonly analyser: ChannelAnalyser;
  readonly voice: Voice | null;
  /** Ends with the work so far: a network may answer later, and samples must stay in order. */
  work: Promise<unknown>;
}

/** Answers requests. Streams are numbered by the request that opened them. */
export class Host {
  #loaded: Loaded | null = null;
  readonly #streams = new Map<number, Stream>();
  readonly #cancelled = new Set<number>();

  /**
   * @param load loads a wasm file by its address, and another model if it has files.
   * @param reply sends a message to the page.
   */
  constructor(
    private readonly load: (wasm: string, onnx?: OnnxFiles) => Promise<Loaded>,
    private readonly reply: (reply: Reply) => void,
  ) {}

  /** Answer a request: `done` or `failed`, after any number of other messages. */
  async take(request: Request): Promise<void> {
    const { id } = request;
    try {
      this.reply({ kind: "done", id, answer: await this.#answer(request) });
    } catch (error) {
      const code = error instanceof EmovoxError ? error.code : "worker_failed";
      this.reply({
        kind: "failed",
        id,
        problem: { code, message: error instanceof Error ? error.message : String(error) },
      });
    }
  }

  #answer(request: Request): Promise<Requests[Kind]["answer"]> | Requests[Kind]["answer"] {
    switch (request.kind) {
      case "load":
        return this.#load(request);
      case "analyse":
        return this.#analyse(request);
      case "cancel":
        this.#cancelled.add(request.of);
        return null;
      case "open":
        this.#streams.set(request.id, this.#open(request));
        return null;
      case "feed":
        return this.#feed(request);
      case "finish":
        return this.#finish(request.stream);
      case "drop":
        this.#streams.delete(request.stream);
        return null;
    }
  }

  async #load({ wasm, onnx }: Request<"load">): Promise<Requests["load"]["answer"]> {
    this.#loaded = await this.load(wasm, onnx);
    return this.#loaded.card;
  }

  async #analyse({ id, file, sound, settings }: Request<"analyse">) {
    const loaded = this.#model;
    const channels = resampled(sound);
    const onProgress = async (share: number): Promise<void> => {
      this.reply({ kind: "progress", id, share });
      await new Promise((resolve) => setTimeout(resolve)); // lets a cancel come through
      if (this.#cancelled.delete(id)) throw new EmovoxError("closed", `${file}: cancelled`);
    };
    return await analyse(loaded, channels, {
      file,
      threshold: settings.threshold ?? loaded.card.threshold,
      adaptation: this.#adaptation(settings),
      onProgress,
    });
  }

  #open({ sampleRate, settings }: Request<"open">): Stream {
    const loaded = this.#model;
    const adaptation = this.#adaptation(settings);
    const voice = adaptation && new Voice(loaded.network, adaptation);
    const threshold = settings.threshold ?? loaded.card.threshold;
    const options = { channel: 0, channels: 1, hop: loaded.card.hop, threshold, voice };
    return {
      resampler: new Resampler(sampleRate, RATE),
      analyser: new ChannelAnalyser(loaded, options),
      voice,
      work: Promise.resolve(),
    };
  }

  async #feed({ stream, samples }: Request<"feed">): Promise<null> {
    const found = this.#stream(stream);
    await inOrder(found, async () => this.#tell(stream, await found.analyser.feed(found.resampler.feed(samples))));
    return null;
  }

  async #finish(stream: number): Promise<Finished> {
    const found = this.#stream(stream);
    this.#streams.delete(stream);
    const { resampler, analyser, voice } = found;
    await inOrder(found, async () => {
      this.#tell(stream, await analyser.feed(resampler.flush()));
      this.#tell(stream, await analyser.flush());
    });
    return { seconds: analyser.seconds, adapted: voice && adaptedTo(voice, "stream") };
  }

  #tell(stream: number, events: readonly LiveEvent[]): void {
    for (const event of events) this.reply({ kind: "event", id: stream, event });
  }

  get #model(): Loaded {
    if (!this.#loaded) throw new EmovoxError("closed", "no model is loaded; wait for createRecogniser");
    return this.#loaded;
  }

  #adaptation({ adapt }: Settings): Adaptation | null {
    if (!adapt) return null;
    const { adaptation, card } = this.#model;
    if (!adaptation)
      throw new EmovoxError("not_adaptable", `model '${card.name}' cannot adapt to a voice; ask without \`adapt\``);
    return adaptation;
  }

  #stream(stream: number): Stream {
    const found = this.#streams.get(stream);
    if (!found) throw new EmovoxError("closed", `stream ${stream} has ended; open another one`);
    return found;
  }
}

/** Do a task after those before it, whether or not they failed. */
function inOrder(stream: Stream, task: () => Promise<void>): Promise<void> {
  const done = stream.work.then(task, task);
  stream.work = done.catch(() => undefined);
  return done;
}

function resampled({ sampleRate, channels }: Sound): Float32Array[] {
  return channels.map((samples) => {
    const resampler = new Resampler(sampleRate, RATE);
    if (sampleRate === RATE) return samples;
    const [most, last] = [resampler.feed(samples), resampler.flush()];
    const whole = new Float32Array(most.length + last.length);
    whole.set(most);
    whole.set(last, most.length);
    return whole;
  });
}
