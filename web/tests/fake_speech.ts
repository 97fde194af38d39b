// A fake recogniser: loud audio is speech, and scores follow level and brightness. It is deterministic, so that the page
// can be developed and tested without a model. The shapes are those of emovox.

import type { Adapted, LiveEvent, Row, Scores, Segment } from "../src/recogniser/protocol.ts";
import { bestOf, EMPTY_SESSION, reduce, rowOf } from "../src/timeline/session.ts";

export const LABELS = ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"];
export const THRESHOLD = 0.35;
export const HOP = 0.5;
export const WINDOW = 3;

const FRAME = 0.02; // seconds
const LOUD = 0.008; // mean amplitude
const HANGOVER = 0.6; // seconds of quiet that end an utterance

interface Frame {
  readonly level: number;
  readonly brightness: number;
}

/** Mono samples in, events out; state is kept between calls. */
export class FakeStream {
  #rest = new Float32Array();
  #frames = 0;
  #utterance = -1;
  #speech: Frame[] | null = null;
  #start = 0;
  #quiet = 0;
  #sinceUpdate = 0;
  #adapted: Adapted;

  /** @param adapts after its first tile it adapts: each label gets the score of the next one. */
  constructor(
    readonly sampleRate: number,
    readonly channel = 0,
    readonly adapts = false,
  ) {
    this.#adapted = { source: "stream", clips: 0, seconds: 0 };
  }

  get seconds(): number {
    return this.#frames * FRAME + this.#rest.length / this.sampleRate;
  }

  feed(samples: Float32Array): readonly LiveEvent[] {
    const length = Math.round(this.sampleRate * FRAME);
    const all = new Float32Array(this.#rest.length + samples.length);
    all.set(this.#rest);
    all.set(samples, this.#rest.length);
    const whole = Math.floor(all.length / length);
    this.#rest = all.slice(whole * length);
    return Array.from({ length: whole }, (_, i) => this.#step(all.subarray(i * length, (i + 1) * length))).flat();
  }

  flush(): readonly LiveEvent[] {
    return this.#speech ? [this.#end()] : [];
  }

  #step(samples: Float32Array): readonly LiveEvent[] {
    const frame = measured(samples);
    const loud = frame.level > LOUD;
    this.#frames += 1;
    if (!this.#speech) {
      if (!loud) return [];
      this.#speech = [frame];
      this.#start = (this.#frames - 1) * FRAME;
      [this.#quiet, this.#sinceUpdate] = [0, 0];
      this.#utterance += 1;
      return [{ type: "speech.started", utterance: this.#utterance, channel: this.channel, start: this.#start }];
    }
    this.#speech.push(frame);
    this.#quiet = loud ? 0 : this.#quiet + FRAME;
    this.#sinceUpdate += FRAME;
    if (this.#quiet >= HANGOVER) return [this.#end()];
    if (this.#sinceUpdate < HOP - 1e-9) return [];
    this.#sinceUpdate = 0;
    const window = this.#speech.slice(-Math.round(WINDOW / FRAME));
    const end = this.#frames * FRAME;
    const start = Math.max(this.#start, end - WINDOW);
    const segment = this.#segment(window, start, end);
    return [{ type: "emotion.updated", utterance: this.#utterance, ...segment }];
  }

  #end(): LiveEvent {
    const spoken = (this.#speech ?? []).slice(0, -Math.round(this.#quiet / FRAME) || undefined);
    const tiles = Math.max(1, Math.round((spoken.length * FRAME) / WINDOW));
    const size = Math.ceil(spoken.length / tiles);
    const segments = Array.from({ length: tiles }, (_, i) => {
      const own = spoken.slice(i * size, (i + 1) * size);
      const start = this.#start + i * size * FRAME;
      return this.#learn(this.#segment(own, start, start + own.length * FRAME));
    });
    this.#speech = null;
    const whole = this.#segment(spoken, this.#start, this.#start + spoken.length * FRAME);
    const adapted = this.adapts ? { adapted: this.#adapted } : {};
    return { type: "speech.ended", utterance: this.#utterance, ...whole, segments, ...adapted };
  }

  #learn(segment: Segment): Segment {
    const { clips, seconds } = this.#adapted;
    this.#adapted = { source: "stream", clips: clips + 1, seconds: seconds + segment.end - segment.start };
    return segment;
  }

  #segment(frames: readonly Frame[], start: number, end: number): Segment {
    const plain = scoresOf(frames);
    const scores = this.#adapted.clips && this.adapts ? rotated(plain) : plain;
    const best = bestOf(scores);
    const confidence = scores[best] ?? 0;
    const label = confidence >= THRESHOLD ? best : null;
    const segment = { start: micro(start), end: micro(end), channel: this.channel, label, confidence, scores };
    return this.adapts ? { ...segment, plain_scores: plain } : segment;
  }
}

/** The row for a recording, channel by channel as they are given. */
export function recognised(file: string, channels: readonly Float32Array[], sampleRate: number, adapts = false): Row {
  const duration = (channels[0]?.length ?? 0) / sampleRate;
  let session = EMPTY_SESSION;
  for (const [channel, samples] of channels.entries()) {
    const stream = new FakeStream(sampleRate, channel, adapts);
    for (const event of [...stream.feed(samples), ...stream.flush()]) session = reduce(session, event);
  }
  return rowOf(session, { file, duration, threshold: THRESHOLD });
}

function measured(samples: Float32Array): Frame {
  let [sum, crossings] = [0, 0];
  for (const [index, sample] of samples.entries()) {
    sum += Math.abs(sample);
    if (index && sample > 0 !== (samples[index - 1] ?? 0) > 0) crossings += 1;
  }
  return { level: sum / samples.length, brightness: crossings / samples.length };
}

function rotated(scores: Scores): Scores {
  const values = Object.values(scores);
  return Object.fromEntries(Object.keys(scores).map((label, i) => [label, values[(i + 1) % values.length] ?? 0]));
}

function scoresOf(frames: readonly Frame[]): Scores {
  const mean = (value: (frame: Frame) => number) =>
    frames.reduce((sum, frame) => sum + value(frame), 0) / Math.max(1, frames.length);
  const phase = 60 * mean(({ level }) => level) + 90 * mean(({ brightness }) => brightness);
  const logits = LABELS.map((_, index) => 2.1 * Math.cos(phase - (2 * Math.PI * index) / LABELS.length));
  const exponentials = logits.map(Math.exp);
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return Object.fromEntries(LABELS.map((label, index) => [label, (exponentials[index] ?? 0) / total]));
}

const micro = (seconds: number): number => Number(seconds.toFixed(6));
