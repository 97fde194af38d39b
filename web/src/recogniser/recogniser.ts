// The interface to a source of answers and events. The page knows only this; the service is one implementation.

import type { Answer, LiveEvent, ModelCard, SessionStarted } from "./protocol.ts";

export interface Progress {
  readonly stage: "upload" | "queue" | "analyse";
  /** From 0 to 1. */
  readonly share: number;
}

export interface FileOptions {
  /** `split` analyses each channel, as for a call with one party each; `mix` analyses their mean. */
  readonly channels: "mix" | "split";
  /** Name of an offered model; null is the default. */
  readonly model: string | null;
  /** Adapt the scores to the voice of the recording, or of each channel. */
  readonly adapt: boolean;
  /** What counts besides the voice: "face", "text". */
  readonly beside: readonly string[];
  /** What is said in the recording; null if it is not known. */
  readonly transcript: File | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface ListenOptions {
  /** Sample rate in Hz of the samples to send. */
  readonly sampleRate: number;
  /** Learn the voice while it speaks, and adapt the scores to it. */
  readonly adapt: boolean;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LiveEvent) => void;
  /** The session was interrupted; nothing follows. */
  readonly onLost: (error: RecogniserError) => void;
}

export interface LiveStream {
  readonly settings: SessionStarted;
  /** Send mono samples in [-1, 1], any number of them. */
  send(samples: Float32Array): void;
  /** End the session; resolves after the last event. */
  finish(): Promise<void>;
  /** Close the session at once. */
  close(): void;
}

export interface Recogniser {
  models(): Promise<readonly ModelCard[]>;
  recognise(file: File, options: FileOptions): Promise<Answer>;
  listen(options: ListenOptions): Promise<LiveStream>;
}

/** An error of the recogniser: `code` is stable and for programs, `message` is English text. */
export class RecogniserError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "RecogniserError";
  }
}

/** Return whether an error means that the user cancelled. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
