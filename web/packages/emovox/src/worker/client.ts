// The page's side of the Worker: each request is a promise.
import { EmovoxError } from "../errors.ts";
import type { LiveEvent } from "../types.ts";
import type { Kind, Reply, Request, Requests } from "./messages.ts";

/** What the client needs of a Worker. */
export interface Port {
  postMessage(message: Request, transfer: Transferable[]): void;
  onmessage: ((message: MessageEvent<Reply>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

/** What a request hears before its answer. */
export interface Listener {
  readonly onProgress?: (share: number) => void;
  readonly onEvent?: (event: LiveEvent) => void;
  /** The Worker has failed; nothing follows. */
  readonly onFailure?: (error: EmovoxError) => void;
}

interface Waiting {
  resolve(answer: never): void;
  reject(error: EmovoxError): void;
}

export class Client {
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Map<number, Listener>();
  #requests = 0;
  #problem: EmovoxError | null = null;

  constructor(private readonly port: Port) {
    port.onmessage = ({ data }) => this.#take(data);
    port.onerror = (event) => this.#fail(failureOf(event));
  }

  /** Return the number of the next request. */
  get next(): number {
    return this.#requests + 1;
  }

  /**
   * Ask the Worker. Buffers in `transfer` are moved there, not copied.
   *
   * @param listener hears what the Worker says about this request, until `forget`.
   */
  ask<Of extends Kind>(
    kind: Of,
    question: Requests[Of]["question"],
    listener: Listener = {},
    transfer: Transferable[] = [],
  ): Promise<Requests[Of]["answer"]> {
    this.#requests += 1;
    const id = this.#requests;
    return new Promise((resolve, reject) => {
      if (this.#problem) return reject(this.#problem);
      this.#waiting.set(id, { resolve, reject });
      this.#listeners.set(id, listener);
      this.port.postMessage({ kind, id, ...question } as unknown as Request, transfer);
    });
  }

  /** Hear no more of a request. */
  forget(id: number): void {
    this.#listeners.delete(id);
  }

  /** End the Worker; what waits fails. */
  close(): void {
    this.#fail(new EmovoxError("closed", "the recogniser is closed; create another one"));
    this.port.terminate();
  }

  #take(reply: Reply): void {
    const listener = this.#listeners.get(reply.id);
    if (reply.kind === "progress") listener?.onProgress?.(reply.share);
    else if (reply.kind === "event") listener?.onEvent?.(reply.event);
    else this.#settle(reply);
  }

  #settle(reply: Reply & { readonly kind: "done" | "failed" }): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (!this.#listeners.get(reply.id)?.onEvent) this.#listeners.delete(reply.id);
    if (reply.kind === "done") waiting?.resolve(reply.answer as never);
    else waiting?.reject(new EmovoxError(reply.problem.code, reply.problem.message));
  }

  #fail(error: EmovoxError): void {
    this.#problem ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    for (const { onFailure } of this.#listeners.values()) onFailure?.(error);
    this.#waiting.clear();
    this.#listeners.clear();
  }
}

/** A script that cannot be fetched gives an event without a message. */
function failureOf({ message }: ErrorEvent): EmovoxError {
  return message
    ? new EmovoxError("worker_failed", `the Worker has failed: ${message}; create another recogniser`)
    : new EmovoxError(
        "worker_unreachable",
        "the Worker's script cannot be loaded; give its address in the option `worker`, and allow it in the " +
          "Content-Security-Policy (worker-src 'self')",
      );
}
