// The recogniser of the npm package as that of the page.
import { createRecogniser, type EmotionRecogniser, EmovoxError } from "../../packages/emovox/src/index.ts";
import type { Answer, ModelCard } from "../recogniser/protocol.ts";
import {
  type FileOptions,
  type ListenOptions,
  type LiveStream,
  type Recogniser,
  RecogniserError,
} from "../recogniser/recogniser.ts";
import { type Choice, choices } from "./choices.ts";

/** Recognises in a Worker of this page for each model. A model is loaded once, when it is first used; after a failure, the next call tries again. */
export class LocalRecogniser implements Recogniser {
  readonly #opening = new Map<string | null, Promise<EmotionRecogniser>>();
  #choices: readonly Choice[] = [];

  async models(): Promise<readonly ModelCard[]> {
    const { model } = await this.#open(null);
    this.#choices = await choices();
    const more = this.#choices.map(({ info, megabytes }) => ({ ...info, megabytes, default: false, offered: true }));
    return [{ ...model, default: true, offered: true }, ...more];
  }

  async recognise(file: File, { channels, model, adapt, signal, onProgress }: FileOptions): Promise<Answer> {
    const recogniser = await this.#open(model);
    const report = (share: number) => onProgress({ stage: "analyse", share });
    report(0);
    const row = await recogniser.analyse(file, { channels, adapt, signal, onProgress: report }).catch(refused);
    return { model: recogniser.model, row };
  }

  async listen({ sampleRate, adapt, signal, onEvent, onLost }: ListenOptions): Promise<LiveStream> {
    const recogniser = await this.#open(null);
    const onFailure = (error: EmovoxError) => onLost(asRecogniserError(error));
    const stream = await recogniser.stream(sampleRate, { adapt, onEvent, onFailure }).catch(refused);
    signal.addEventListener("abort", () => stream.close());
    const { model } = recogniser;
    const { labels, hop, window, threshold } = model;
    return {
      settings: {
        type: "session.started",
        model,
        labels,
        sample_rate: sampleRate,
        channels: 1,
        hop,
        window,
        threshold,
      },
      send: (samples) => stream.send(samples),
      finish: async () => void (await stream.finish()),
      close: () => stream.close(),
    };
  }

  /** @param name of a choice; null is the model in emovox.wasm. */
  async #open(name: string | null): Promise<EmotionRecogniser> {
    const opening = this.#opening.get(name) ?? createRecogniser(this.#choices.find(({ info }) => info.name === name));
    this.#opening.set(name, opening);
    try {
      return await opening;
    } catch (error) {
      this.#opening.delete(name);
      return refused(error);
    }
  }
}

function refused(error: unknown): never {
  throw error instanceof EmovoxError ? asRecogniserError(error) : error;
}

function asRecogniserError({ code, message }: EmovoxError): RecogniserError {
  return new RecogniserError(code, message);
}
