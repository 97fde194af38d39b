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

/** Recognises in a Worker of this page. The model is loaded once; after a failure, the next call tries again. */
export class LocalRecogniser implements Recogniser {
  #opening: Promise<EmotionRecogniser> | null = null;

  async models(): Promise<readonly ModelCard[]> {
    const { model } = await this.#open();
    return [{ ...model, default: true, offered: true }];
  }

  async recognise(file: File, { channels, adapt, signal, onProgress }: FileOptions): Promise<Answer> {
    const recogniser = await this.#open();
    const report = (share: number) => onProgress({ stage: "analyse", share });
    report(0);
    const row = await recogniser.analyse(file, { channels, adapt, signal, onProgress: report }).catch(refused);
    return { model: recogniser.model, row };
  }

  async listen({ sampleRate, adapt, signal, onEvent, onLost }: ListenOptions): Promise<LiveStream> {
    const recogniser = await this.#open();
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

  async #open(): Promise<EmotionRecogniser> {
    this.#opening ??= createRecogniser();
    try {
      return await this.#opening;
    } catch (error) {
      this.#opening = null;
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
