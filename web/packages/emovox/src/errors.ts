/** What went wrong; stable, for programs. */
export type ErrorCode =
  | "no_simd"
  | "wasm_unreachable"
  | "wasm_damaged"
  | "wasm_version"
  | "model_unreachable"
  | "model_damaged"
  | "runtime_unreachable"
  | "worker_unreachable"
  | "worker_failed"
  | "undecodable"
  | "too_large"
  | "bad_rate"
  | "not_adaptable"
  | "closed"
  | "busy"
  | "microphone_insecure"
  | "microphone_denied"
  | "microphone_missing"
  | "microphone_busy"
  | "microphone_gone"
  | "microphone_unserved";

/** An error of this package: a stable code, and in English what it got, what it expected and what to do next. */
export class EmovoxError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.name = "EmovoxError";
  }
}
