export { EmovoxError, type ErrorCode } from "./errors.ts";
export {
  type AnalyseOptions,
  createRecogniser,
  EmotionRecogniser,
  type EmotionStream,
  type ListenOptions,
  type LiveSession,
  type OnnxModel,
  type OnnxRuntime,
  type RecogniserOptions,
  type ScoreOptions,
  type StreamOptions,
} from "./recogniser.ts";
export type {
  Adapted,
  EmotionUpdated,
  LiveEvent,
  Notice,
  Row,
  Scores,
  Segment,
  SpeechEnded,
  SpeechStarted,
} from "./types.ts";
export type { Figure, ModelInfo } from "./wasm/description.ts";
export { hasSimd } from "./wasm/simd.ts";
export type { Finished } from "./worker/messages.ts";
