// Where answers and events come from. The page knows this interface only; the service is one implementation.

import type { Answer, LiveEvent, ModelCard, SessionStarted } from "./protocol.ts";

export interface Progress {
  readonly stage: "upload" | "queue" | "analyse";
  /** From 0 to 1. */
  readonly share: number;
}

export interface FileOptions {
  /** `split` keeps the channels apart, one party each; `mix` takes them together. */
  readonly channels: "mix" | "split";
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface ListenOptions {
  /** Of the samples that will be sent, in Hz. */
  readonly sampleRate: number;
  readonly signal: AbortSignal;
  readonly onEvent: (event: LiveEvent) => void;
  /** The session broke off; nothing follows. */
  readonly onLost: (error: RecogniserError) => void;
}

export interface LiveStream {
  readonly settings: SessionStarted;
  /** Send mono samples in [-1, 1], any number of them. */
  send(samples: Float32Array): void;
  /** Flush: resolves when the last event has been given. */
  finish(): Promise<void>;
  /** Break off at once. */
  close(): void;
}

export interface Recogniser {
  models(): Promise<readonly ModelCard[]>;
  recognise(file: File, options: FileOptions): Promise<Answer>;
  listen(options: ListenOptions): Promise<LiveStream>;
}

/** `code` is stable and for programs; `message` is the recogniser's own words, in English. */
export class RecogniserError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "RecogniserError";
  }
}

/** The user cancelled: no error to show. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
