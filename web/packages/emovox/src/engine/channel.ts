// One channel of a stream: tiles and previews with their scores become events.
import type { SpeechNetwork } from "../detector/speech.ts";
import type { Adapted, EmotionUpdated, LiveEvent, Scores, Segment, SpeechEnded } from "../types.ts";
import { type Familiarity, RunningDistance } from "./familiarity.ts";
import type { Card, Network, Scored } from "./model.ts";
import { halfToEven } from "./pcm_buffer.ts";
import { type Piece, RATE, type RegionEnded, Segmenter, type SegmenterEvent } from "./segmenter.ts";
import { isSpeech, labelOf, meanScores, NOT_SPEECH } from "./summary.ts";
import type { Voice } from "./voice.ts";

/** A model and what finds speech. */
export interface Engine {
  readonly card: Card;
  readonly network: Network;
  /** Tells how far a recording is from those in training; null or left out if nothing is known of that. */
  readonly familiarity?: Familiarity | null;
  /** Make what finds speech in one channel. */
  readonly speech: () => SpeechNetwork;
}

export interface ChannelOptions {
  readonly channel: number;
  /** Number of channels of the stream: utterances are numbered through all of them. */
  readonly channels: number;
  /** Seconds between two previews; null gives none. */
  readonly hop: number | null;
  readonly threshold: number;
  /** Learns each tile after it is scored, and adapts the scores; null leaves them as they are. */
  readonly voice: Voice | null;
  /**
   * Keep what is heard in the tiles, for a second pass, and leave the scores as they are. A live stream does not, so
   * that its memory stays the same.
   */
  readonly keep?: boolean;
}

/** The analyser of a channel. The events and their order do not depend on the chunking. Calls must wait for each other. */
export class ChannelAnalyser {
  /** Scores and statistics of the tiles so far, in the order of their segments, if they are kept. */
  readonly heard: Scored[] = [];
  readonly #segmenter: Segmenter;
  readonly #distance: RunningDistance | null;
  #segments: Segment[] = [];
  #before: Float32Array | null = null;

  constructor(
    private readonly engine: Engine,
    private readonly options: ChannelOptions,
  ) {
    const { window, shortest } = engine.card;
    this.#segmenter = new Segmenter({ window, shortest, hop: options.hop }, engine.speech());
    this.#distance = engine.familiarity ? new RunningDistance(engine.familiarity) : null;
  }

  /** Seconds of audio so far. */
  get seconds(): number {
    return this.#segmenter.total / RATE;
  }

  /** Distance of the speech so far from the recordings in training, above 1: unfamiliar; null: unknown. */
  get unfamiliarity(): number | null {
    const distance = this.#distance?.distance ?? null;
    return distance === null ? null : halfToEven(distance * 100) / 100;
  }

  /** Take the next samples at 16 kHz and return the events that are now certain. */
  async feed(samples: Float32Array): Promise<LiveEvent[]> {
    return await this.#events(this.#segmenter.feed(samples));
  }

  /** End the audio and return the last events. */
  async flush(): Promise<LiveEvent[]> {
    return await this.#events(this.#segmenter.flush());
  }

  async #events(marks: readonly SegmenterEvent[]): Promise<LiveEvent[]> {
    const events: LiveEvent[] = [];
    for (const mark of marks) {
      const event = await this.#event(mark);
      if (event) events.push(event);
    }
    return events;
  }

  async #event(mark: SegmenterEvent): Promise<LiveEvent | null> {
    const about = { utterance: mark.region * this.options.channels + this.options.channel, ...this.#channel };
    if (mark.kind === "started") return { type: "speech.started", ...about, start: secondsOf(mark.start) };
    if (mark.kind === "ended") return this.#ended(mark, about.utterance);
    const scored = await this.engine.network.run(mark.samples);
    if (mark.kind === "preview") return await this.#updated(mark, about.utterance, scored);
    this.#segments.push(await this.#segment(mark, scored));
    return null;
  }

  get #channel(): { readonly channel: number } {
    return { channel: this.options.channel };
  }

  async #adapted(scored: Scored): Promise<Float32Array> {
    const { voice, keep } = this.options;
    if (voice) return await voice.scores(scored.statistics);
    return keep || !this.#distance ? scored.scores : this.#distance.tempered(scored.scores);
  }

  async #segment(tile: Piece, scored: Scored): Promise<Segment> {
    const { voice } = this.options;
    if (this.options.keep) this.heard.push(scored);
    if (!this.#tellsSpeech(scored)) return this.#other(tile, this.#named(scored.scores));
    this.#distance?.add(scored.statistics);
    const plain = voice ? { plain_scores: this.#named(scored.scores) } : {};
    const segment = { ...this.#judged(tile, this.#named(await this.#adapted(scored))), ...plain };
    voice?.learn(scored, (tile.end - tile.start) / RATE);
    return segment;
  }

  /** A preview has the mean scores of the latest two windows: one window alone seldom changes the label. */
  async #updated(preview: Piece, utterance: number, scored: Scored): Promise<EmotionUpdated> {
    const scores = await this.#adapted(scored);
    const before = this.#before ?? scores;
    this.#before = scores;
    const smooth = scores.map((score, index) => Math.fround((before[index] ?? 0) + score) / 2);
    const judged = this.#tellsSpeech(scored) ? this.#judged : this.#other;
    return { type: "emotion.updated", utterance, ...judged.call(this, preview, this.#named(smooth)) };
  }

  #ended(mark: RegionEnded, utterance: number): SpeechEnded {
    const segments = this.#segments;
    this.#segments = [];
    this.#before = null;
    const { voice } = this.options;
    const heard = segments.filter(isSpeech);
    const plain = meanScores(
      heard.filter(({ plain_scores }) => plain_scores),
      (segment) => segment.plain_scores ?? {},
    );
    return {
      type: "speech.ended",
      utterance,
      ...(heard.length ? this.#judged(mark, mean(heard)) : this.#other(mark, mean(segments))),
      segments,
      ...(voice ? { adapted: adaptedTo(voice, "stream") } : {}),
      ...(plain ? { plain_scores: plain } : {}),
      ...(this.unfamiliarity === null ? {} : { unfamiliarity: this.unfamiliarity }),
    };
  }

  #named(scores: Float32Array): Scores {
    return namedScores(this.engine.card.labels, scores);
  }

  #tellsSpeech({ speech }: Scored): boolean {
    const limit = this.engine.card.speech?.threshold;
    return limit === undefined || speech === undefined || speech >= limit;
  }

  #other(piece: { readonly start: number; readonly end: number }, scores: Scores): Segment {
    return { ...this.#judged(piece, scores), label: null, code: NOT_SPEECH };
  }

  #judged({ start, end }: { readonly start: number; readonly end: number }, scores: Scores): Segment {
    const label = labelOf(scores, this.options.threshold);
    const confidence = Math.max(...Object.values(scores));
    return { start: secondsOf(start), end: secondsOf(end), ...this.#channel, label, confidence, scores };
  }
}

const mean = (segments: readonly Segment[]): Scores => meanScores(segments, (segment) => segment.scores) ?? {};

export function namedScores(labels: readonly string[], scores: Float32Array): Scores {
  return Object.fromEntries(labels.map((label, index) => [label, scores[index] ?? 0]));
}

export function adaptedTo({ clips, seconds }: Voice, source: string): Adapted {
  return { source, clips, seconds: rounded(seconds) };
}

function secondsOf(position: number): number {
  return rounded(position / RATE);
}

/** Round to milliseconds. */
export function rounded(seconds: number): number {
  return halfToEven(seconds * 1000) / 1000;
}
