// What the page and the Worker say to each other.
import type { ErrorCode } from "../errors.ts";
import type { OnnxFiles } from "../onnx/model.ts";
import type { Adapted, LiveEvent, Row } from "../types.ts";
import type { ModelInfo } from "../wasm/description.ts";

/** Settings of an analysis or a stream. */
export interface Settings {
  /** Probability below which no label is given; null takes the model's. */
  readonly threshold: number | null;
  readonly adapt: boolean;
}

/** A recording: channels of one length at one sample rate in Hz. */
export interface Sound {
  readonly sampleRate: number;
  readonly channels: readonly Float32Array[];
}

/** What can be asked of the Worker: request → the fields of its question and its answer. */
export interface Requests {
  /** Load emovox.wasm, and in place of its model that of other files, if there are any. */
  readonly load: {
    readonly question: { readonly wasm: string; readonly onnx?: OnnxFiles };
    readonly answer: ModelInfo;
  };
  readonly analyse: {
    readonly question: { readonly file: string; readonly sound: Sound; readonly settings: Settings };
    readonly answer: Row;
  };
  /** Stop the analysis that another request began. */
  readonly cancel: { readonly question: { readonly of: number }; readonly answer: null };
  readonly open: {
    readonly question: { readonly sampleRate: number; readonly settings: Settings };
    readonly answer: null;
  };
  readonly feed: {
    readonly question: { readonly stream: number; readonly samples: Float32Array };
    readonly answer: null;
  };
  readonly finish: { readonly question: { readonly stream: number }; readonly answer: Finished };
  readonly drop: { readonly question: { readonly stream: number }; readonly answer: null };
}

/** The end of a stream. */
export interface Finished {
  readonly seconds: number;
  readonly adapted: Adapted | null;
}

export type Kind = keyof Requests;

export type Request<Of extends Kind = Kind> = {
  readonly [One in Of]: { readonly kind: One; readonly id: number } & Requests[One]["question"];
}[Of];

export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
}

export type Reply =
  | { readonly kind: "done"; readonly id: number; readonly answer: Requests[Kind]["answer"] }
  | { readonly kind: "failed"; readonly id: number; readonly problem: Problem }
  | { readonly kind: "progress"; readonly id: number; readonly share: number }
  /** An event of the stream that the request with this number opened. */
  | { readonly kind: "event"; readonly id: number; readonly event: LiveEvent };
