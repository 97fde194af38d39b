// A live session from the first frame to the last event, over one or more connections.

import { Microphone, MicrophoneError } from "../../packages/emovox/src/audio/microphone.ts";
import { CaptureClock, RunningMedian } from "../audio/clock.ts";
import { levelDb } from "../audio/encode.ts";
import { Peaks } from "../audio/peaks.ts";
import type { LiveEvent, Row, SessionStarted } from "../recogniser/protocol.ts";
import type { LiveStream, Recogniser } from "../recogniser/recogniser.ts";
import { t } from "../text/i18n.ts";
import { EMPTY_SESSION, interrupted, reduce, rowOf, type Session, shifted } from "../timeline/session.ts";

export type ListeningState = "permission" | "connecting" | "running" | "paused" | "stopping" | "stopped" | "lost";

export interface ListeningHandlers {
  readonly onState: (state: ListeningState) => void;
  /** The first connection is open. */
  readonly onOpen: (labels: readonly string[]) => void;
  /** There is something to draw: a frame or an event. */
  readonly onChange: () => void;
  readonly onFrame: (samples: Float32Array) => void;
}

const LATENCIES = 9; // updates whose median is shown
const MUTED_DB = -90; // level of a frame that counts as muted
const MUTED_FRAMES = 30; // frames of 100 ms after which the microphone counts as muted: longer than a pause
const LOUD_FRAMES = 15; // frames of 100 ms for which the warning "too loud" stays
const CLIPPED = 0.999; // magnitude of a sample that counts as clipped

export class Listening {
  state: ListeningState = "permission";
  session: Session = EMPTY_SESSION;
  settings: SessionStarted | null = null;
  peaks = new Peaks(48_000);
  /** Milliseconds from the last sample to the update; null before the first update. */
  latency: number | null = null;
  /** Why the connection was lost. */
  problem: unknown = null;
  #microphone: Microphone | null = null;
  #stream: LiveStream | null = null;
  #opening = new AbortController();
  #clock = new CaptureClock();
  #latencies = new RunningMedian(LATENCIES);
  #offset = 0; // seconds of the session before this connection
  #quiet = 0;
  #loud = 0;
  readonly #file = `${t("live.file")}-${timestamp(new Date())}`;

  constructor(
    private readonly recogniser: Recogniser,
    /** Whether the voice is learnt while it speaks. After a lost connection that begins anew. */
    readonly adapts: boolean,
    private readonly handlers: ListeningHandlers,
  ) {}

  get seconds(): number {
    return this.peaks.duration;
  }

  get deviceId(): string {
    return this.#microphone?.deviceId ?? "";
  }

  get sound(): "muted" | "loud" | "fine" {
    if (this.#quiet >= MUTED_FRAMES) return "muted";
    return this.#loud > 0 ? "loud" : "fine";
  }

  /** Open the microphone and the connection. After a lost connection the timeline continues where it ended. */
  async run(): Promise<void> {
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    this.#set("permission");
    try {
      const microphone = await Microphone.open(new URL("worklet.js", document.baseURI), {
        onFrame: (samples) => this.#send(samples),
        onPause: (paused) => this.#pause(paused),
        onEnd: () => this.#lose(new MicrophoneError("gone")),
      });
      this.#microphone = microphone;
      signal.throwIfAborted();
      this.#set("connecting");
      const stream = await this.recogniser.listen({
        sampleRate: microphone.sampleRate,
        adapt: this.adapts,
        signal,
        onEvent: (event) => this.#take(event),
        onLost: (error) => this.#lose(error),
      });
      signal.throwIfAborted();
      this.#begin(stream, microphone.sampleRate);
    } catch (error) {
      this.#microphone?.close();
      if (this.settings && !signal.aborted) this.#set("lost");
      throw error;
    }
  }

  /** Close the microphone and wait for the last verdicts. */
  async stop(): Promise<void> {
    this.#microphone?.close();
    if (!this.#stream) {
      this.close();
      if (this.settings) this.#set("stopped"); // an earlier connection has a result to show
      return;
    }
    this.#set("stopping");
    await this.#stream.finish();
    this.#stream = null;
    this.session = interrupted(this.session);
    if (this.state === "stopping") this.#set("stopped");
  }

  /** Stop at once, without further events. */
  close(): void {
    this.state = "stopped";
    this.#opening.abort();
    this.#microphone?.close();
    this.#stream?.close();
    this.#stream = null;
  }

  async resume(): Promise<void> {
    await this.#microphone?.resume();
  }

  async use(deviceId: string): Promise<void> {
    await this.#microphone?.use(deviceId);
  }

  /** The result, as `emovox predict` gives it for a recording; null before the first connection. */
  row(): Row | null {
    if (!this.settings) return null;
    return rowOf(this.session, { file: this.#file, duration: this.seconds, threshold: this.settings.threshold });
  }

  #begin(stream: LiveStream, sampleRate: number): void {
    this.#stream = stream;
    this.#clock = new CaptureClock();
    if (!this.settings) this.peaks = new Peaks(sampleRate);
    this.#offset = this.seconds;
    const first = !this.settings;
    this.settings = stream.settings;
    if (first) this.handlers.onOpen(stream.settings.labels);
    this.#set("running");
  }

  #send(samples: Float32Array): void {
    this.handlers.onFrame(samples);
    if (!this.#stream || this.state !== "running") return;
    this.#stream.send(samples);
    this.peaks.add(samples);
    this.#clock.note(this.seconds - this.#offset, performance.now());
    this.#quiet = levelDb(samples) < MUTED_DB ? this.#quiet + 1 : 0;
    this.#loud = samples.some((sample) => Math.abs(sample) >= CLIPPED) ? LOUD_FRAMES : Math.max(0, this.#loud - 1);
    this.handlers.onChange();
  }

  #take(event: LiveEvent): void {
    if (event.type === "emotion.updated") {
      const captured = this.#clock.capturedAt(event.end);
      if (captured !== null) this.latency = this.#latencies.add(performance.now() - captured);
    }
    this.session = reduce(this.session, shifted(event, this.#offset));
    this.handlers.onChange();
  }

  #pause(paused: boolean): void {
    if (this.state === "running" && paused) this.#set("paused");
    else if (this.state === "paused" && !paused) this.#set("running");
  }

  #lose(error: unknown): void {
    if (this.state === "stopped" || this.state === "lost") return;
    this.#microphone?.close();
    this.#stream?.close();
    this.#stream = null;
    this.session = interrupted(this.session);
    this.problem = error;
    this.#set("lost");
  }

  #set(state: ListeningState): void {
    this.state = state;
    this.handlers.onState(state);
  }
}

/** Return a time such as `20261123-101112`, in local time. */
function timestamp(now: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("");
  return `${day}-${[now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join("")}`;
}
