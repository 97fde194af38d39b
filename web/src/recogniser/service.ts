// The recogniser behind `emovox serve`: files over HTTP, the microphone over a WebSocket, all below the page's own path.

import { encodeS16le } from "../audio/encode.ts";
import type { Answer, LiveEvent, ModelCard, Notice, Row, StreamMessage } from "./protocol.ts";
import {
  type FileOptions,
  type ListenOptions,
  type LiveStream,
  type Recogniser,
  RecogniserError,
} from "./recogniser.ts";

const POLL_MS = [250, 500, 1000]; // between polls of a job; the last one repeats
const FLUSH_MS = 15_000; // for the last events at the end of a session
const MOST_WAITING = 1_000_000; // bytes that wait for the network, at most: about ten seconds of sound
const MOST_FAILURES = 5; // polls that fail in a row until the page gives up the job

interface Job {
  readonly id: string;
  readonly status: "queued" | "running" | "done" | "failed";
  readonly progress: number;
}

type FlatAnswer = Row & { readonly model: Answer["model"] };

/** The body of an answer of the service: the row of a recording, the job of a long one, the models, or an error. */
interface Body extends Partial<FlatAnswer> {
  readonly models?: readonly ModelCard[];
  readonly job?: Job;
  readonly result?: FlatAnswer;
  readonly error?: Notice;
}

interface Reply {
  readonly status: number;
  readonly body: Body;
}

/** A recogniser that asks `emovox serve`. */
export class ServiceRecogniser implements Recogniser {
  #key: string | null = null;

  /**
   * @param base address of the page, including the prefix of a reverse proxy.
   * @param askKey asks the user for the service's key; null if there is none. The key stays in memory only.
   */
  constructor(
    private readonly base: string,
    private readonly askKey: (refused: boolean) => Promise<string | null>,
  ) {}

  async models(): Promise<readonly ModelCard[]> {
    const reply = await this.#withKey(
      async () => {
        const response = await this.#fetch("v1/models");
        return { status: response.status, body: await jsonOf(response) };
      },
      ({ status }) => status === 401,
    );
    if (!reply.body.models) throw errorOf(reply);
    return reply.body.models;
  }

  async recognise(file: File, options: FileOptions): Promise<Answer> {
    const reply = await this.#withKey(
      () => this.#upload(file, options),
      ({ status }) => status === 401,
    );
    if (reply.body.job) return await this.#await(reply.body.job, options);
    if (reply.status >= 400 || reply.body.error) throw errorOf(reply);
    return answerOf(reply.body);
  }

  async listen(options: ListenOptions): Promise<LiveStream> {
    const outcome = await this.#withKey(
      () => openStream(this.#url("v1/stream").replace(/^http/, "ws"), this.#key, options),
      (result) => result instanceof RecogniserError && result.code === "unauthorised",
    );
    if (outcome instanceof RecogniserError) throw outcome;
    return outcome;
  }

  /** Try, and if the service refuses the key, ask for one and try again until it accepts or the user gives up. */
  async #withKey<T>(attempt: () => Promise<T>, refused: (outcome: T) => boolean): Promise<T> {
    for (;;) {
      const outcome = await attempt();
      if (!refused(outcome)) return outcome;
      const key = await this.askKey(this.#key !== null);
      if (key === null) return outcome;
      this.#key = key;
    }
  }

  #upload(file: File, { channels, model, adapt, beside, transcript, signal, onProgress }: FileOptions): Promise<Reply> {
    const form = new FormData();
    form.append("file", file, file.name || "recording");
    if (transcript) form.append("transcript", transcript, transcript.name);
    const request = new XMLHttpRequest(); // fetch does not report the progress of uploads
    const choice = model === null ? "" : `&model=${encodeURIComponent(model)}`;
    const voice = adapt ? `&adapt=${channels === "split" ? "channel" : "recording"}` : "";
    const others = beside.length ? `&modalities=${["voice", ...beside].join()}` : "";
    request.open("POST", this.#url(`v1/emotions?channels=${channels}${choice}${voice}${others}`));
    if (this.#key) request.setRequestHeader("Authorization", `Bearer ${this.#key}`);
    return new Promise((resolve, reject) => {
      const cancel = () => request.abort();
      signal.throwIfAborted();
      signal.addEventListener("abort", cancel, { once: true });
      request.upload.onprogress = (event) =>
        onProgress({ stage: "upload", share: event.lengthComputable ? event.loaded / event.total : 0 });
      request.upload.onload = () => onProgress({ stage: "analyse", share: 0 });
      request.onload = () => resolve({ status: request.status, body: parsed(request.responseText) });
      request.onerror = () => reject(networkError());
      request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
      request.onloadend = () => signal.removeEventListener("abort", cancel);
      request.send(form);
    });
  }

  async #await(job: Job, { signal, onProgress }: FileOptions): Promise<Answer> {
    const path = `v1/jobs/${encodeURIComponent(job.id)}`;
    const cancel = () => void this.#fetch(path, { method: "DELETE" }).catch(() => undefined);
    signal.addEventListener("abort", cancel, { once: true });
    try {
      for (let polls = 0, failures = 0; ; polls += 1) {
        await pause(POLL_MS[Math.min(polls, POLL_MS.length - 1)] ?? 1000, signal);
        try {
          const response = await this.#fetch(path, { signal });
          const body = await jsonOf(response);
          if (body.result) return answerOf(body.result);
          if (!response.ok || !body.job || body.job.status === "failed")
            throw errorOf({ status: response.status, body });
          onProgress({ stage: body.job.status === "queued" ? "queue" : "analyse", share: body.job.progress });
          failures = 0;
        } catch (error) {
          failures += 1;
          if (!(error instanceof TypeError) || failures >= MOST_FAILURES) throw asError(error);
        }
      }
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = this.#key ? { Authorization: `Bearer ${this.#key}` } : {};
    return fetch(this.#url(path), { ...init, headers, cache: "no-store", credentials: "same-origin" });
  }

  #url(path: string): string {
    return new URL(path, this.base).href;
  }
}

/** Open a session. A refusal is returned and not thrown, so that the caller can ask for a key. */
function openStream(
  url: string,
  key: string | null,
  { sampleRate, adapt, signal, onEvent, onLost }: ListenOptions,
): Promise<LiveStream | RecogniserError> {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  let stream: LiveStream | null = null;
  let problem: RecogniserError | null = null;
  let requested = false; // the session's end; a service that shuts down ends the session without a request
  let over = false;
  let flushed: () => void = () => undefined;
  const end = new Promise<void>((resolve) => {
    flushed = resolve;
  });
  const cancel = () => {
    over = true;
    socket.close(1000);
    flushed();
  };

  const take = (message: StreamMessage): void => {
    if (message.type === "session.ended") over ||= requested;
    else if (message.type === "error") problem = new RecogniserError(message.code, message.message);
    else if (message.type !== "session.started") onEvent(message as LiveEvent);
  };

  const opened = (settings: StreamMessage & { type: "session.started" }): LiveStream => ({
    settings,
    send(samples) {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (socket.bufferedAmount > MOST_WAITING) {
        problem = new RecogniserError("too_slow", "the network does not carry the sound fast enough");
        socket.close(1000);
      } else socket.send(encodeS16le(samples));
    },
    async finish() {
      if (socket.readyState !== WebSocket.OPEN) return;
      requested = true;
      socket.send(JSON.stringify({ type: "session.end" }));
      const late = setTimeout(cancel, FLUSH_MS);
      await end;
      clearTimeout(late);
    },
    close: cancel,
  });

  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => {
      cancel();
      reject(new DOMException("cancelled", "AbortError"));
    });
    socket.onopen = () => {
      const start = { type: "session.start", sample_rate: sampleRate, encoding: "s16le", channels: 1 };
      socket.send(JSON.stringify({ ...start, ...(adapt ? { adapt } : {}), ...(key ? { key } : {}) }));
    };
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      const message = JSON.parse(data) as StreamMessage;
      take(message);
      if (message.type === "session.started") {
        stream = opened(message);
        resolve(stream);
      }
    };
    socket.onclose = () => {
      flushed();
      const error = problem ?? networkError();
      if (!stream) resolve(error);
      else if (!over) onLost(error);
    };
  });
}

function answerOf(body: Partial<FlatAnswer>): Answer {
  const { model, ...row } = body;
  if (!model || !row.segments)
    throw new RecogniserError("unexpected", "the service answered with something other than a result");
  return { model, row: row as Row };
}

function errorOf({ status, body }: Reply): RecogniserError {
  return new RecogniserError(body.error?.code ?? `http_${status}`, body.error?.message ?? `HTTP status ${status}`);
}

function networkError(): RecogniserError {
  return new RecogniserError("network", "the service cannot be reached");
}

function asError(error: unknown): unknown {
  return error instanceof TypeError ? networkError() : error; // fetch throws a TypeError without a network
}

async function jsonOf(response: Response): Promise<Body> {
  return parsed(await response.text());
}

/** Return a body from JSON; an empty one for other text, such as the error page of a proxy. */
function parsed(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return {};
  }
}

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}
